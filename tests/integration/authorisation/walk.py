"""One request of the matrix: who asks what about which site, and what comes back."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.db import connection, transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from tests.forms import JSON, Form, encoded
from tests.integration.authorisation import tables
from tests.integration.authorisation.world import Principal, World

EXAMPLES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "examples.yaml").read_text(encoding="utf-8"))
REFUSED = 400
# A name as long as this stands for itself wherever it is found.
DISTINCT = 6
# What an example says of the caller; all other names are of the place that is asked about.
OF_THE_CALLER = {"username", "password", "access", "refresh"}
BROWSER = Client(raise_request_exception=False)
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Operation:
    """What the schema says of one operation."""

    id: str
    method: str
    path: str
    described: Mapping[str, Any]

    @property
    def success(self) -> set[int]:
        """The statuses of having done it."""
        return {int(status) for status in self.described["responses"] if status[0] == "2"}

    @property
    def queries(self) -> list[str]:
        """The query parameters it takes."""
        return [one["name"] for one in self.described.get("parameters", []) if one["in"] == "query"]

    @property
    def example(self) -> Mapping[str, Any]:
        """A good request."""
        found: Mapping[str, Any] = EXAMPLES["operations"].get(self.id, {})
        return found

    def request(self, names: Mapping[str, Any]) -> tuple[str, Any, dict[str, Any]]:
        """The path, the body and the query, with ``names`` in them."""
        given = self.example.get("path", {})
        parts = self.path.split("/")
        for number, part in enumerate(parts):
            if part.startswith("{"):
                template = given.get(part[1:-1]) or EXAMPLES["paths"].get(parts[number - 1], "$unknown")
                parts[number] = str(filled(template, names))
        body = filled(self.example.get("body"), names)
        if "form" in self.example:
            body = Form(filled(self.example["form"], names))
        return "/".join(parts), body, filled(self.example.get("query", {}), names)

    @property
    def has_places(self) -> bool:
        """Tell whether the request names anything, so that it can name something of elsewhere."""
        named = set(re.findall(r'"\$(\w+)"', json.dumps(self.example))) - OF_THE_CALLER
        return bool(named) or "{" in self.path


@cache
def operations() -> dict[str, Operation]:
    """Every operation of the schema as the code of this moment makes it."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    found = [
        Operation(told["operationId"], method.upper(), path, told)
        for path, item in paths.items()
        for method, told in item.items()
        if "operationId" in told
    ]
    return {one.id: one for one in found}


def filled(template: Any, names: Mapping[str, Any]) -> Any:
    """Put names into an example; one that nobody has stands for what is not there."""
    if isinstance(template, dict):
        return {key: filled(value, names) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, names) for value in template]
    if isinstance(template, str) and template.startswith("$"):
        return names.get(template[1:], 999_999_999)
    return template


@dataclass(frozen=True)
class Answer:
    """What came back, as searchable text."""

    status: int
    headers: dict[str, str]
    text: str
    changed: tuple[str, ...]

    @property
    def plain(self) -> str:
        """The text without the request's id, in which any number may stand."""
        return re.sub(r'"request_id": ?"[^"]*"', "", self.text)

    def compared(self, ids: list[tuple[str, str]]) -> tuple[int, str, dict[str, str]]:
        """Everything but what differs between any two requests: the names of what was asked for, the request id."""
        text = re.sub(r'"(instance|request_id)": ?"[^"]*"', "", self.text)
        for one, stand_in in ids:
            text = text.replace(one, stand_in) if len(one) >= DISTINCT else text
        return self.status, text, {name: value for name, value in self.headers.items() if name != "X-Request-ID"}


class Walker:
    """Asks, and undoes what that did."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._before = tables.digests()

    def ask(self, operation: Operation, who: Principal, place: str, *, items: bool = False) -> Answer:
        """Send the operation's example as ``who``, about the ``place``; of ``items`` the first one's status counts."""
        return self.send(who, operation.method, *operation.request(self.world.names(who, place)), items=items)

    def send(
        self, who: Principal, method: str, path: str, body: Any = None, query: Any = None, *, items: bool = False
    ) -> Answer:
        """Send anything, undo it, and tell what of the database a refusal has changed."""
        seen: list[str] = []
        with undone():
            with connection.execute_wrapper(_noting(seen)):
                response = asked(who, method, path, body, query)
                content = _text(response)
            status = _of_item(content) if items else response.status_code
            changed = tables.changed(self._before) if seen and status >= REFUSED else ()
        headers = {name: str(value) for name, value in response.headers.items()}
        return Answer(status, headers, content, changed)


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever is written inside."""
    with transaction.atomic():
        # As Django's own test cases do: transactions inside count as outermost ones.
        connection.atomic_blocks[-1]._from_testcase = True
        yield
        transaction.set_rollback(True)


def stranger() -> Client:
    """The one browser of all, as nobody has used it: making another one loads the whole middleware again."""
    BROWSER.cookies.clear()
    return BROWSER


def asked(who: Principal, method: str, path: str, body: Any = None, query: Any = None) -> Any:
    """The plain response."""
    text, kind = (b"", JSON) if body is None else encoded(body)
    return stranger().generic(method, path, text, kind, query_params=query or {}, headers=who.headers)


def _noting(seen: list[str]) -> Any:
    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django calls it
        if WRITES.match(sql):
            seen.append(sql)
        return execute(sql, parameters, many, context)

    return note


def _of_item(content: str) -> int:
    """The status of the one item that was sent, where the answer speaks of items."""
    told = json.loads(content)
    return int(told["results"][0]["status"] if "results" in told else told["status"])


def _text(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if content[:2] != b"PK":
        return str(content.decode("utf-8", "replace"))
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return "\n".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())
