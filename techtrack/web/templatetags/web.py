"""Template tags of the pages: icons, moments, and what the whole site wears."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.core.clock import isoformat

register = template.Library()

SPRITE = "vendor/lucide/1.62.0/sprite.svg"
SEVERITY_ICONS = {
    "critical": "octagon-alert",
    "high": "triangle-alert",
    "medium": "circle-alert",
    "low": "info",
    "info": "info",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; words beside it say what it means."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>', static(SPRITE), name
    )


@register.simple_tag
def severity_icon(severity: str) -> SafeString:
    """Draw a severity: each has a shape of its own, for eyes that do not tell its colour."""
    return icon(SEVERITY_ICONS.get(severity, "info"))


@register.simple_tag
def demo_mode() -> bool:
    """Tell whether this is the demo plant."""
    return bool(settings.DEMO)


@register.simple_tag(takes_context=True)
def administers(context: template.Context) -> bool:
    """Tell whether the reader administers the whole platform."""
    user = context.get("user")
    return isinstance(user, User) and access_of(user).allows(Role.ADMIN, None)


@register.filter
def moment(at: datetime | None) -> str | SafeString:
    """Write a moment in the reader's zone: the time alone when it is today, else with its date."""
    if at is None:
        return "never"
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" data-moment>{}</time>', isoformat(at), local.strftime("%-d %b %Y, %H:%M:%S")
    )


@register.filter
def rfc3339(at: datetime | None) -> str:
    """Write a moment for the browser's programs."""
    return isoformat(at) if at else ""


@register.filter
def happened(kind: str) -> str:
    """Write the kind of an event as the beginning of a sentence."""
    return kind.replace("_", " ").capitalize()
