"""What must be known of spreadsheets by whoever writes a file that one may open."""

from __future__ import annotations

# A cell that begins with one of these may be taken for a formula by whoever opens the file.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(DANGEROUS) else text
