"""What every answer tells a browser, whichever door gives it: guess nothing, show it in no frame, load nothing.

Pages, which load something, have a policy of their own (techtrack/web/security.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from django.conf import settings


def written(policy: Mapping[str, str]) -> str:
    """Write a policy as the header wants it."""
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


# What is no page loads nothing, even where a browser is made to show it as one.
NOTHING = written({"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"})
UNUSED = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-create",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED),
}


@cache
def always() -> dict[str, str]:
    """Return the headers of every answer; the policy is the one of what is no page."""
    found = ALWAYS | {"Content-Security-Policy": NOTHING}
    if seconds := settings.SECURE_HSTS_SECONDS:
        found["Strict-Transport-Security"] = f"max-age={seconds}; includeSubDomains; preload"
    return found
