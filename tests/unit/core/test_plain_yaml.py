"""YAML as plain data: every text means one thing, and what JSON could not say is refused with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.core import plain_yaml

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", max_size=3), inner, max_size=4),
    max_leaves=12,
)


class TestLoad:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            pytest.param("no", "no", id="Norway is no flag"),
            pytest.param("on", "on", id="nor is a switch"),
            pytest.param("1:30", "1:30", id="no sexagesimal number"),
            pytest.param("2026-11-22", "2026-11-22", id="no date"),
            pytest.param("P1D", "P1D", id="a duration is a text"),
            pytest.param("0x1f", "0x1f", id="no other base"),
            pytest.param("1_000", "1_000", id="no digits in groups"),
            pytest.param(".inf", ".inf", id="nothing that JSON lacks"),
            pytest.param("'80'", "80", id="quoted is a text"),
            pytest.param("80", 80, id="integer"),
            pytest.param("-8.5e1", -85.0, id="number"),
            pytest.param("true", True, id="flag"),
            pytest.param("~", None, id="nothing"),
            pytest.param("", None, id="no document"),
            pytest.param("|\n  two\n  lines\n", "two\nlines\n", id="block"),
            pytest.param("{on: [1, {a: ~}]}", {"on": [1, {"a": None}]}, id="nested"),
        ],
    )
    def test_gives_a_text_its_one_meaning(self, text, value):
        loaded = plain_yaml.load(text)
        assert (loaded, type(loaded)) == (value, type(value))

    @given(JSON)
    def test_reads_json_as_json_does(self, value):
        assert plain_yaml.load(json.dumps(value)) == value

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            pytest.param("a: 1\nb: 2\na: 3", "line 3, column 1: 'a' is named twice", id="a member twice"),
            pytest.param("a: &x [1]\nb: *x", "anchors", id="an alias"),
            pytest.param("a: !!python/object/apply:os.system [ls]", "tag", id="a tag that would call something"),
            pytest.param("a: !secret x", "tag", id="a tag of somebody's own"),
            pytest.param("? [a]\n: b", "line 1, column 3", id="a list for a name"),
            pytest.param("- a\nb: c", "line 2", id="no YAML"),
            pytest.param("a: 1\n---\na: 2", "single document", id="two documents"),
            pytest.param("a: \x00", "characters", id="NUL"),
            pytest.param("[" * 5000, "", id="nested without end"),
            pytest.param("a: 1e999", "line 1, column 4: the number 1e999 is too large", id="a number beyond all"),
            pytest.param("a" * (plain_yaml.LONGEST + 1), "at most", id="too long"),
        ],
    )
    def test_refuses_with_the_place(self, text, said):
        with pytest.raises(plain_yaml.NotPlain) as refused:
            plain_yaml.load(text)
        assert said in refused.value.detail


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


class TestDump:
    @settings(deadline=None)
    @given(ANY)
    def test_is_read_as_it_was_written(self, value):
        assert plain_yaml.load(plain_yaml.dump(value)) == value

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "~",
            "null",
            "true",
            "no",
            "1",
            "-8.5e1",
            "1e5",
            "1:30",
            "2026-11-22",
            "a: b",
            "two\nlines",
            "<<",
            "=",
            "# no comment",
            " a ",
            "&a",
            "ä",
        ],
    )
    def test_keeps_a_text_a_text(self, text):
        assert plain_yaml.load(plain_yaml.dump({"a": text, text: "a"})) == {"a": text, text: "a"}

    def test_is_for_people(self):
        told = {
            "name": "Hot",
            "conditions": [{"kind": "above", "limit": {"attribute": "t_max", "default": 80.0}}],
            "all": {"kind": "all_of", "conditions": [{"kind": "above"}]},
            "tags": [],
            "cause": "One line.\nAnother.\n",
        }
        assert plain_yaml.dump(told) == (
            "name: Hot\n"
            "conditions:\n"
            "  - {kind: above, limit: {attribute: t_max, default: 80}}\n"
            "all:\n"
            "  kind: all_of\n"
            "  conditions:\n"
            "    - {kind: above}\n"
            "tags: []\n"
            "cause: |\n"
            "  One line.\n"
            "  Another.\n"
        )


class TestLineOf:
    TEXT = "a:\n  - x: 1\n    y/z: 2\n  - 3\n\nb: {c: 4}\n"

    @pytest.mark.parametrize(
        ("pointer", "line"),
        [
            ("", 1),
            ("/a", 1),
            ("/a/0", 2),
            ("/a/0/y~1z", 3),
            ("/a/1", 4),
            ("/b/c", 6),
            pytest.param("/a/0/missing", 2, id="what is around it"),
            pytest.param("/a/7", 1, id="no such item"),
            pytest.param("/a/x", 1, id="no item at all"),
        ],
    )
    def test_finds_the_line(self, pointer, line):
        assert plain_yaml.line_of(self.TEXT, pointer) == line

    def test_of_nothing_is_the_first(self):
        assert plain_yaml.line_of("", "/rules") == 1
