"""Telephone numbers as the networks of the world write them."""

from __future__ import annotations

import phonenumbers

from techtrack.core.errors import Invalid

LONGEST_NUMBER = 20


def check_number(number: str, *, pointer: str) -> None:
    """Pass a number in E.164 (``+`` and digits) that some country has given out.

    Raises:
        Invalid: it is none.
    """
    try:
        parsed = phonenumbers.parse(number[:LONGEST_NUMBER], None)
    except phonenumbers.NumberParseException:
        parsed = None
    plain = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) if parsed else ""
    if plain != number or parsed is None or not phonenumbers.is_valid_number(parsed):
        raise Invalid(
            f"{number[:40]!r} is not a telephone number: write + and the country, such as +4915112345678",
            pointer=pointer,
        )
