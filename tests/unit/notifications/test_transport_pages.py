"""The reference has a page for each transport, with its fields and an example that works."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from techtrack.notifications.domain.message import VARIABLES
from techtrack.notifications.domain.transport import build, secrets_of, transports
from techtrack.notifications.transports.apprise import ALLOWED
from techtrack.notifications.transports.sms_gateway import VARIABLES as OF_A_GATEWAY

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = DOCS / "reference" / "transports"


def page(kind):
    return (PAGES / f"{kind}.md").read_text(encoding="utf-8")


def example(kind):
    (found,) = re.findall(r"```json\n(.*?)\n```", page(kind), re.DOTALL)
    return json.loads(found)


def test_every_transport_has_a_page_and_every_page_a_transport():
    assert sorted(path.stem for path in PAGES.glob("*.md")) == transports.names()


@pytest.mark.parametrize("kind", transports.names())
class TestThePage:
    def test_begins_with_its_name(self, kind):
        assert page(kind).startswith(f"# Transport `{kind}`\n")

    def test_lists_the_fields(self, kind):
        listed = re.findall(r"^\| `(\w+)` \|", page(kind), re.MULTILINE)
        assert listed == [field.name for field in dataclasses.fields(transports.get(kind))]

    def test_says_of_secrets_that_nobody_sees_them_again(self, kind):
        for name in secrets_of(kind):
            (meaning,) = re.findall(rf"^\| `{name}` \| (.*) \|$", page(kind), re.MULTILINE)
            assert "never shown again" in meaning.lower()

    def test_has_an_example_that_can_be_saved(self, kind):
        found = example(kind)
        assert found["kind"] == kind
        assert build(kind, found["config"])


def test_the_page_of_apprise_lists_its_services():
    listed = set(re.findall(r"`([a-z0-9]+)`", page("apprise")))
    assert listed - {"apprise", "url"} == ALLOWED


def test_the_page_of_the_gateway_lists_its_variables():
    (paragraph,) = re.findall(r"^Variables: (.*?)\n\n", page("sms_gateway"), re.DOTALL | re.MULTILINE)
    assert set(OF_A_GATEWAY) <= set(re.findall(r"`(\w+)`", paragraph))


def test_the_how_to_lists_the_variables_of_templates():
    text = (DOCS / "how-to" / "email.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `\{\{ (\w+) \}\}` \| (.*) \|$", text, re.MULTILINE)) == dict(VARIABLES)
