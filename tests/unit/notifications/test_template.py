"""Templates: names between braces, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.notifications.domain.template import UnknownVariable, check, fill

KNOWN = ["title", "value"]


class TestCheck:
    @pytest.mark.parametrize(
        "text", ["", "plain", "{{ title }}", "{{title}} is {{ value }}", "a } b { c", "{title}", "}}"]
    )
    def test_passes_known_names(self, text):
        check(text, KNOWN, pointer="/body_template")

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            pytest.param("{{ vlaue }}", ["vlaue"], id="a slip"),
            pytest.param("{{ a }} {{ title }} {{ b }} {{ a }}", ["a", "b"], id="two, each once"),
            pytest.param("{{ Title }}", ["Title"], id="in capitals"),
            pytest.param("{{ title.upper }}", ["title.upper"], id="an attribute"),
            pytest.param("{{ title|upper }}", ["title|upper"], id="a filter"),
            pytest.param("{{ __class__ }}", ["__class__"], id="something inside"),
            pytest.param("{{ }}", [""], id="nothing"),
            pytest.param("{{{ title }}}", None, id="three braces"),
            pytest.param("{{ title", None, id="left open"),
        ],
    )
    def test_names_each_unknown_one_and_those_there_are(self, text, names):
        with pytest.raises(UnknownVariable) as caught:
            check(text, KNOWN, pointer="/body_template")
        faults = caught.value.faults
        assert {(fault.pointer, fault.code) for fault in faults} == {("/body_template", "unknown_variable")}
        if names is not None:
            assert [fault.detail for fault in faults] == [
                f"there is no variable {name!r}; known are title, value" for name in names
            ]


class TestFill:
    def test_puts_values_for_names(self):
        assert fill("{{ title }}: {{value}}!", {"title": "Too hot", "value": "91 °C"}) == "Too hot: 91 °C!"

    @given(st.text(), st.text())
    def test_never_fills_what_a_value_holds(self, title, value):
        assert fill("{{ title }}", {"title": "{{ value }}" + title, "value": value}) == "{{ value }}" + title

    def test_escapes_values_and_not_the_text(self):
        assert fill("a&b={{ value }}", {"value": "c&d"}, escape=lambda text: text.replace("&", "%26")) == "a&b=c%26d"
