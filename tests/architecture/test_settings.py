"""Settings: what the code reads from the environment is exactly what deploy/env.example explains."""

from __future__ import annotations

import re

from techtrack.config import settings
from tests.architecture.house import ROOT

EXAMPLE = ROOT / "deploy" / "env.example"
LINE = re.compile(r"^#? ?([A-Z][A-Z0-9_]+)=(.*)$")
# Read by Django's createsuperuser or by the server before the settings are there.
READ_ELSEWHERE = {"DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD", "DJANGO_SUPERUSER_EMAIL"}


def explained(text: str) -> dict[str, str]:
    """Names and shown values of an env file; a default stands behind ``# ``."""
    found = (LINE.match(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


def unexplained(text: str, read: set[str]) -> set[str]:
    """Names that one side knows and the other does not."""
    return (set(explained(text)) ^ read) - READ_ELSEWHERE


def without_meaning(text: str) -> list[str]:
    """Names without a comment line of words above."""
    lines = text.splitlines()
    return [
        match[1]
        for number, line in enumerate(lines)
        if (match := LINE.match(line))
        and not (number and lines[number - 1].startswith("# ") and not LINE.match(lines[number - 1]))
    ]


class TestEnvExample:
    def test_lists_every_setting_that_is_read_and_no_other(self):
        assert unexplained(EXAMPLE.read_text(encoding="utf-8"), set(settings.env.seen)) == set()

    def test_says_of_each_what_it_means(self):
        assert without_meaning(EXAMPLE.read_text(encoding="utf-8")) == []

    def test_shows_the_defaults_that_the_code_has(self):
        shown = explained(EXAMPLE.read_text(encoding="utf-8"))
        told = {name: default for name, default in settings.env.seen.items() if default and "/" not in default}
        assert {name: shown[name] for name in told} == told

    def test_a_planted_unknown_or_forgotten_name_is_caught(self):
        assert unexplained("# Where.\nHOST=a\n", {"HOST", "PORT"}) == {"PORT"}
        assert unexplained("# Where.\nHOST=a\n", set()) == {"HOST"}

    def test_a_planted_name_without_meaning_is_caught(self):
        assert without_meaning("HOST=a\n") == ["HOST"]
