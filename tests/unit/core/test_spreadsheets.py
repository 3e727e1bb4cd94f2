"""Texts of people in files that a spreadsheet may open."""

from __future__ import annotations

import pytest

from techtrack.core.spreadsheets import harmless


@pytest.mark.parametrize("first", [*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"], ids=ascii)
def test_what_begins_like_a_formula_is_taken_for_a_text(first):
    assert harmless(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


def test_other_texts_stay():
    assert harmless("Grease = good") == "Grease = good"
