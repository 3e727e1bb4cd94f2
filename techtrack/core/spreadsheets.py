"""What must be known of spreadsheets by whoever writes a file that one may open."""

from __future__ import annotations

# A cell that begins with one of these may be taken for a formula by whoever opens the file; the last four are = + - @
# as wide as a Chinese character, which some programs read as the narrow ones.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(DANGEROUS) else text
