"""Every air-quality standard keeps the protocol, and the reference has a page for each with tables and an example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from techtrack.airquality.indexing import Indexed
from techtrack.airquality.standard import standards
from techtrack.airquality.tables import AS_IT_IS, Bands
from tests.unit.airquality.air import AT, reference_of, still

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference" / "air-quality-standards"
INDEXED = [name for name in standards.names() if isinstance(standards.get(name), Indexed)]


def page(name):
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def example(name):
    (found,) = re.findall(r"```json\n(.*?)\n```", page(name), re.DOTALL)
    return json.loads(found)


def air_of(shown):
    """The still air of an example, its gases in the state of the standard's own tables."""
    reference = reference_of(shown["standard"])
    return {one: still(said["value"], said["unit"], reference=reference) for one, said in shown["air"].items()}


def breakpoints(table):
    """A table as the pages write it."""
    if isinstance(table, Bands):
        return ", ".join(f"{limit:f}" for limit in table.limits)
    return ", ".join(f"{one.low:f}-{one.high:f}: {one.index_low}-{one.index_high}" for one in table.segments)


def row(scale):
    """The line of a page that holds a scale."""
    rounding = "no" if scale.rounding == AS_IT_IS else str(scale.rounding)
    unit = scale.amount.unit.strip("[]")
    return f"| `{scale.parameter}` | {scale.period.label} | {unit} | {rounding} | {breakpoints(scale.table)} |"


def test_every_standard_has_a_page_and_every_page_a_standard():
    assert sorted(path.stem for path in PAGES.glob("*.md")) == standards.names()


def test_others_can_add_one_by_an_entry_point():
    # The name of the group must be one that packages can declare.
    assert re.fullmatch(r"\w+(\.\w+)*", f"techtrack.{standards.kind}")


@pytest.mark.parametrize("name", standards.names())
class TestTheStandard:
    def test_says_what_it_is(self, name):
        found = standards.get(name)
        assert found.name == name
        assert found.title
        assert found.source
        assert found.methods
        assert len(set(found.parameters)) == len(found.parameters)

    def test_judges_what_its_page_shows(self, name):
        shown = example(name)
        hours = air_of(shown)
        found = standards.get(shown["standard"]).judge(hours, at=AT, method=shown["method"])
        assert shown["standard"] == name
        assert (found.index, found.category.name) == (shown["index"], shown["category"])
        assert (found.category.colour, found.dominant) == (shown["colour"], shown["dominant"])

    def test_has_the_same_index_in_its_history(self, name):
        shown = example(name)
        hours = air_of(shown)
        assert standards.get(name).history(hours, method=shown["method"]).index[-1] == shown["index"]


@pytest.mark.parametrize("name", standards.names())
class TestThePage:
    def test_begins_with_its_name(self, name):
        assert page(name).startswith(f"# Standard `{name}`\n")

    def test_cites_the_source(self, name):
        assert f"Source: {standards.get(name).source}." in page(name)

    def test_names_the_parameters_and_methods(self, name):
        for one in (*standards.get(name).parameters, *standards.get(name).methods):
            assert f"`{one}`" in page(name)

    def test_lists_the_classes(self, name):
        names = list(dict.fromkeys(one.name for one in standards.get(name).categories))
        (line,) = re.findall(r"^Classes: (.*)\.$", page(name), re.MULTILINE)
        assert [one.split(" (")[0] for one in line.split(", ")] == names


@pytest.mark.parametrize("name", INDEXED)
def test_the_page_has_every_table_of_the_newest_edition(name):
    edition = standards.get(name).editions[-1]
    for method in standards.get(name).methods:
        for scale in edition.scales[method]:
            assert row(scale) in page(name), row(scale)
