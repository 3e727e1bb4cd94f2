"""The OpenAPI document: complete, free of warnings, and the same as the one in the repository."""

from __future__ import annotations

import difflib
import io
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

from tests.architecture import routes
from tests.architecture.house import ROOT

SNAPSHOT = ROOT / "docs" / "reference" / "openapi.yaml"
# Served below /api/ and not operations of it.
UNDOCUMENTED = {
    "/api/",  # the list of resources for people who look around
    "/api/schema/",  # the document itself
    "/api/asyncapi/",  # the document of the WebSocket
}


@pytest.fixture(scope="module")
def document() -> str:
    """The OpenAPI document as the code of this moment makes it."""
    written = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=written)
    return written.getvalue()


def operations(text: str) -> set[tuple[str, str]]:
    """(path, method) of every operation of a document."""
    paths = yaml.safe_load(text).get("paths", {})
    return {(routes.shape(path), method) for path, item in paths.items() for method in item if method in routes.METHODS}


def undocumented(served: list[routes.Route], text: str) -> list[tuple[str, str]]:
    """Operations that the resolver serves and the document does not mention."""
    known = operations(text)
    return sorted(
        (route.path, method)
        for route in served
        for method in route.methods
        if (route.path, method) not in known and route.path not in UNDOCUMENTED
    )


def drift(kept: str, made: str) -> str:
    """The difference as a diff, empty if there is none."""
    return "\n".join(difflib.unified_diff(kept.splitlines(), made.splitlines(), "kept", "made", lineterm="", n=1))


class TestDocument:
    def test_is_the_one_in_the_repository(self, document):
        kept = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
        assert not drift(kept, document), f"`make schema` writes {SNAPSHOT.relative_to(ROOT)} anew; look at the diff"

    def test_a_planted_difference_is_shown(self):
        assert "+b: 2" in drift("a: 1\n", "a: 1\nb: 2\n")

    def test_mentions_every_operation_that_is_served(self, document):
        assert undocumented(routes.routes("/api/"), document) == []

    def test_a_planted_hidden_operation_is_caught(self, document):
        hidden = routes.Route("/api/hidden/", object, (("get", "list"),))
        assert undocumented([hidden], document) == [("/api/hidden/", "get")]

    def test_names_each_operation_once(self, document):
        paths = yaml.safe_load(document)["paths"].values()
        names = [item[method]["operationId"] for item in paths for method in item if method in routes.METHODS]
        assert len(names) == len(set(names))

    def test_mentions_no_address_of_a_foreign_host(self, document):
        assert not [server for server in yaml.safe_load(document)["servers"] if server["url"] != "/"]

    def test_is_written_for_every_version_that_people_ask_for(self, api):
        for query in ("", "?format=json"):
            assert api(None).get(f"/api/schema/{query}").status_code == 200
        assert api(None).get("/swagger.json").json()["openapi"].startswith("3.1")


def test_the_snapshot_lies_where_the_docs_link_to_it():
    assert SNAPSHOT.relative_to(ROOT) == Path("docs/reference/openapi.yaml")
