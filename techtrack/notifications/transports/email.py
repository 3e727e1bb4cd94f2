"""E-mail by SMTP, through the server that EMAIL_URL names."""

from __future__ import annotations

import re
import smtplib
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend

from techtrack.core.errors import Invalid
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.transport import NotDelivered, transports

# The WHATWG's definition (HTML, "valid e-mail address"): what a browser's own field accepts, hosts of an
# intranet without a dot included.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
LONGEST_ADDRESS = 254
REFUSED = 500


@transports.register("email")
@dataclass(frozen=True, slots=True)
class Email:
    """One message to all addresses of ``to``, which see each other; delivered once the server takes every one."""

    to: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]

    def __post_init__(self) -> None:
        for index, address in enumerate(self.to):
            if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
                raise Invalid(f"{address[:80]!r} is not an e-mail address", pointer=f"/config/to/{index}")

    def send(self, message: Message, delivery_id: str) -> None:
        """Send it; a server that answers 5xx has refused, anything else is worth waiting for."""
        mail = EmailMessage(
            subject=message.subject,
            body=message.body,
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=self.to,
            headers={"Message-ID": f"<{delivery_id}@techtrack>", "Auto-Submitted": "auto-generated"},
        )
        mail.connection = get_connection(_STRICT.get(settings.EMAIL_BACKEND))
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise NotDelivered(f"addresses were refused: {_words(error)}", retry=min(codes) < REFUSED) from error
        except smtplib.SMTPResponseException as error:
            raise NotDelivered(_words(error), retry=error.smtp_code < REFUSED) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotDelivered(_words(error), retry=True) from error


class _EveryAddress(smtplib.SMTP):
    """SMTP for which a message has failed where any address was refused; the others may have it already."""

    def sendmail(self, *args: Any, **options: Any) -> dict[str, tuple[int, bytes]]:
        refused = super().sendmail(*args, **options)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)
        return refused


class _EncryptedEveryAddress(_EveryAddress, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class StrictBackend(EmailBackend):
    """Django's way to the mail server, which would pass over addresses that were refused beside ones that were not."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _EncryptedEveryAddress if self.use_ssl else _EveryAddress


_STRICT = {"django.core.mail.backends.smtp.EmailBackend": f"{__name__}.{StrictBackend.__name__}"}


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
