"""What the front takes from the network before Django sees it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator

from django.test import Client

from techtrack.config.front import Bridge, Queue, WholeBody
from techtrack.core.http import REQUESTS


class TestWholeBody:
    def test_passes_no_header_that_wsgi_would_take_for_another(self):
        seen = []

        async def application(scope, receive, send):
            seen.extend(scope["headers"])

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        headers = [(b"x-forwarded-for", b"192.0.2.7"), (b"x_forwarded_for", b"10.0.0.1")]
        front = WholeBody(application, limit=10)
        asyncio.run(front({"type": "http", "path": "/", "headers": headers}, receive, None))
        assert seen == [(b"x-forwarded-for", b"192.0.2.7"), (b"content-length", b"0")]


class Door:
    """A front whose application answers when it is let: two places, and what was sent to each request."""

    def __init__(self) -> None:
        self.answering = asyncio.Event()
        self.bodies_read = 0
        queue = Queue(self._application, most=2)
        self._front = WholeBody(queue, limit=10, queue=queue)

    def ask(self, path="/api/tasks/", body=b""):
        """Send a request; return the task that answers it."""
        headers = [(b"content-length", str(len(body)).encode())]
        return asyncio.create_task(
            self._ask({"type": "http", "method": "POST", "path": path, "headers": headers}, body)
        )

    async def _ask(self, scope, body):
        sent = []

        async def receive():
            self.bodies_read += 1
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        await self._front(scope, receive, send)
        return sent

    async def _application(self, scope, receive, send):
        await self.answering.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})


async def settle():
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


class TestQueue:
    async def test_refuses_at_once_what_it_has_no_place_for_and_reads_no_body(self):
        door = Door()
        inside = [door.ask(), door.ask()]
        await settle()
        start, said = await door.ask(body=b"{}")
        headers = dict(start["headers"])
        assert (start["status"], headers[b"content-type"]) == (503, b"application/problem+json")
        assert int(headers[b"retry-after"]) >= 1
        assert headers[b"connection"] == b"close"
        assert json.loads(said["body"])["code"] == "overloaded"
        assert door.bodies_read == len(inside)
        door.answering.set()
        assert [sent[0]["status"] for sent in await asyncio.gather(*inside)] == [204, 204]

    async def test_keeps_the_line_of_whom_it_refuses_where_no_body_comes_over_it(self):
        door = Door()
        inside = [door.ask(), door.ask()]
        await settle()
        start, _ = await door.ask()
        assert b"connection" not in dict(start["headers"])
        door.answering.set()
        await asyncio.gather(*inside)

    async def test_refuses_those_who_came_while_their_bodies_were_read(self):
        door = Door()
        asked = [door.ask() for _ in range(5)]
        await settle()
        door.answering.set()
        assert sorted(sent[0]["status"] for sent in await asyncio.gather(*asked)) == [204, 204, 503, 503, 503]

    async def test_takes_the_next_one_when_one_is_answered(self):
        door = Door()
        door.answering.set()
        for _ in range(5):
            assert (await door.ask())[0]["status"] == 204

    async def test_never_refuses_those_who_watch_over_the_process(self):
        door = Door()
        asked = [door.ask(), door.ask(), door.ask("/healthz"), door.ask("/readyz"), door.ask("/metrics")]
        await settle()
        door.answering.set()
        assert {sent[0]["status"] for sent in await asyncio.gather(*asked)} == {204}


class Endless:
    """An answer that never ends of itself."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        return itertools.repeat(b"piece")

    def close(self):
        self.closed = True


class TestBridge:
    SCOPE = {"method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": [], "type": "http"}

    async def test_ends_and_closes_an_answer_whose_reader_has_gone(self):
        answer, sent, gone = Endless(), [], asyncio.Event()

        def application(environ, start_response):
            start_response("200 OK", [])
            return answer

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message["type"])
            if len(sent) == 5:
                gone.set()
            # As a server does, whose socket has room only now and then.
            await asyncio.sleep(0)

        await asyncio.wait_for(Bridge(application, workers=1)(self.SCOPE, receive, send), 30)
        assert answer.closed
        assert len(sent) >= 5


class TestMetrics:
    def test_count_methods_that_nobody_serves_as_one(self):
        for word in ("FOO1", "FOO2"):
            Client().generic(word, "/healthz")
        methods = {sample.labels["method"] for metric in REQUESTS.collect() for sample in metric.samples}
        assert "other" in methods
        assert not methods & {"FOO1", "FOO2"}
