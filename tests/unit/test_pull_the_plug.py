"""Pulling the plug: a server that acknowledges before it stores is found out by the same count."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from techtrack.core.clock import isoformat
from techtrack.demo.pull_the_plug import AT_ONCE, Stream, compare
from techtrack.demo.replay import Door

BEGINS = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
BATCHES = 5


class TestCount:
    def test_finds_what_was_promised_and_is_gone(self):
        assert compare([1, 2, 3], [1, 3]).lost == {2}

    def test_minds_nothing_that_is_there_without_a_promise(self):
        count = compare([1, 2], [1, 2, 3])
        assert (count.acknowledged, count.there, count.lost) == (2, 3, frozenset())


class Store(http.server.BaseHTTPRequestHandler):
    """An ingest door over a list; ``hasty`` acknowledges before it stores, and is killed after BATCHES answers."""

    hasty: ClassVar[bool]
    stored: ClassVar[list[int]]
    answers: ClassVar[int]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        kind = type(self)
        items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["items"]
        if kind.answers == BATCHES:
            self.close_connection = True
            return
        last = kind.answers == BATCHES - 1
        if not (kind.hasty and last):
            kind.stored += [int(item["values"]["number"]) for item in items]
        kind.answers += 1
        body = b'{"accepted": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store(request) -> Iterator[tuple[type[Store], int]]:
    kind = type("Fresh", (Store,), {"hasty": request.param, "stored": [], "answers": 0})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield kind, server.server_address[1]
        server.shutdown()
        thread.join()


class TestStream:
    @pytest.mark.parametrize(
        ("store", "lost"),
        [
            pytest.param(False, 0, id="an honest server"),
            pytest.param(True, AT_ONCE, id="one that acknowledges before it stores"),
        ],
        indirect=["store"],
    )
    def test_counts_what_a_killed_server_promised(self, store, lost):
        kind, port = store
        stream = Stream(BEGINS)
        stream.send(Door("127.0.0.1", port, "key"), threading.Event())
        count = compare(stream.acknowledged, kind.stored)
        assert count.acknowledged == BATCHES * AT_ONCE
        assert len(count.lost) == lost

    def test_numbers_its_readings_by_the_microsecond(self):
        item = Stream(BEGINS)._item(7)
        assert (item["timestamp"], item["values"]) == (isoformat(BEGINS.replace(microsecond=7)), {"number": 7})
