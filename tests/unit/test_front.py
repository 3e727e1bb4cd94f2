"""What the front takes from the network before Django sees it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

from django.test import Client

from techtrack.config.front import Bridge, WholeBody
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
