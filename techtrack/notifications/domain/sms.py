"""Fits a text into one SMS: 160 characters of the GSM alphabet, because any other letter leaves room for 70 only."""

from __future__ import annotations

import unicodedata

# 3GPP TS 23.038, 6.2.1: the default alphabet; the escape itself (27) is no character.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Its extension table: each takes the escape with it, so two of the 160.
EXTENSION = frozenset("^{}\\[~]|€\f")
ROOM = 160
DOTS = "..."

# What units and sentences need. The degree of a temperature goes: 'C' says it as well.
_WRITTEN = {
    "°C": "C",
    "°F": "F",
    "°": " deg",
    "µ": "u",
    "μ": "u",
    "²": "2",
    "³": "3",
    "¹": "1",
    "⁻": "-",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "—": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "…": "...",
    "·": "*",
    "⋅": "*",
    "\N{MULTIPLICATION SIGN}": "x",
    "÷": "/",
    "±": "+/-",
    "≥": ">=",
    "≤": "<=",
    "≠": "/=",
    "≈": "~",
    "‰": "o/oo",
    "→": "->",
    "←": "<-",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{SINGLE LOW-9 QUOTATION MARK}": ",",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "•": "-",
    "`": "'",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "œ": "oe",
    "Œ": "OE",
    "þ": "th",
    "Þ": "Th",
    "ð": "d",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "ẞ": "SS",
    "ç": "Ç",
    "\N{FRACTION SLASH}": "/",
    "\t": " ",
}


def fit(text: str, *, link: str = "") -> str:
    """Return ``text`` in GSM letters, cut at a word so that it and the whole ``link`` behind it fill one part at most.

    A link that is too long for a part, or has letters of no alphabet, is left out.
    """
    words = " ".join(in_gsm(text).split())
    tail = f" {link}" if link and in_gsm(link) == link and septets(link) < ROOM else ""
    if link and words.endswith(link):
        words = words[: -len(link)].rstrip()
    return (_cut(words, ROOM - septets(tail)) + tail).strip()


def in_gsm(text: str) -> str:
    """Return ``text`` in letters of the GSM alphabet: what has no likeness there becomes a question mark."""
    for sign in ("°C", "°F"):
        text = text.replace(sign, _WRITTEN[sign])
    return "".join(_likeness(char) for char in text)


def septets(text: str) -> int:
    """Return how many of the 160 places a text of GSM letters takes."""
    return sum(2 if char in EXTENSION else 1 for char in text)


def _likeness(char: str) -> str:
    if char in BASIC or char in EXTENSION:
        return char
    if char in _WRITTEN:
        return _WRITTEN[char]
    # é of e and an accent, a full-width letter, a superscript: what is left without its marks.
    parts = [one for one in unicodedata.normalize("NFKD", char) if not unicodedata.combining(one)]
    plain = "".join(_WRITTEN.get(one, one) for one in parts)
    if all(one in BASIC or one in EXTENSION for one in plain):
        return plain
    return " " if char.isspace() else "?"


def _cut(words: str, room: int) -> str:
    if septets(words) <= room:
        return words
    if room <= len(DOTS):
        return ""
    kept, used = 0, len(DOTS)
    for char in words:
        used += septets(char)
        if used > room:
            break
        kept += 1
    # At a word, unless that would leave hardly anything.
    space = words.rfind(" ", 0, kept + 1)
    return words[: space if space > kept // 2 else kept].rstrip() + DOTS
