"""Whom a comment mentions: ``@olga``, outside code, addresses and links."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from techtrack.core.errors import Invalid

MOST_MENTIONS = 50
# As accounts let people be called: Django's UnicodeUsernameValidator, 150 characters at most.
LONGEST_NAME = 150
_NAME = r"[\w.@+-]"
# What stands before the sign makes it an address (olga@example.org) or an escape (\@olga).
_MENTION = re.compile(rf"(?<![\w@+\\-])@({_NAME}+)")
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://\S+", re.IGNORECASE)
_TAIL = ".@+-"
# CommonMark: a fence closes with one at least as long or with the text, a span of code with a run of just as many in
# the same paragraph.
_FENCE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}(?=[^`\n]*$)|~{3,}).*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_SPAN = re.compile(r"(?<![`\\])(`++)(?:(?!\n[ \t]*\n).)*?(?<!`)\1(?!`)", re.DOTALL)


class TooManyMentions(Invalid):
    """A comment calls more people than anybody means."""

    code = "too_many_mentions"


def mentions(text: str, *, pointer: str = "/text") -> tuple[tuple[str, ...], ...]:
    """Return for each mention, in order and once each, the names that it may be, the longest first.

    A name may end with what ends a sentence: ``@olga.`` is ``("olga.", "olga")``, and who of them there is decides.
    Names are in the form in which accounts keep them (NFKC); capitals make no other name.

    Raises:
        TooManyMentions: there are more than 50.
    """
    # Composed first: an accent that stands for itself is no part of a name, and would leave somebody else's.
    plain = unicodedata.normalize("NFC", text)
    for left_out in (_FENCE, _SPAN, _LINK):
        plain = left_out.sub(" ", plain)
    found: dict[str, tuple[str, ...]] = {}
    for match in _MENTION.finditer(plain):
        if readings := _readings(unicodedata.normalize("NFKC", match[1])):
            found.setdefault(readings[-1].lower(), readings)
    if len(found) > MOST_MENTIONS:
        raise TooManyMentions(f"a comment mentions {MOST_MENTIONS} people at most", pointer=pointer)
    return tuple(found.values())


def mentioned(found: Sequence[Sequence[str]], people: Mapping[str, int]) -> list[int]:
    """Return who is meant by the mentions ``found``, once each; ``people`` are ids by names in small letters."""
    known = (next((people[name.lower()] for name in names if name.lower() in people), None) for names in found)
    return list(dict.fromkeys(person for person in known if person is not None))


def _readings(name: str) -> tuple[str, ...]:
    """Return the name with all, and then with fewer of the signs at its end."""
    shortest = len(name.rstrip(_TAIL))
    if not shortest or shortest > LONGEST_NAME:
        return ()
    longest = min(len(name), LONGEST_NAME)
    return tuple(name[:length] for length in range(longest, shortest - 1, -1))
