"""What the front takes from the network before Django sees it."""

from __future__ import annotations

import asyncio

from django.test import Client

from techtrack.config.front import WholeBody
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


class TestMetrics:
    def test_count_methods_that_nobody_serves_as_one(self):
        for word in ("FOO1", "FOO2"):
            Client().generic(word, "/healthz")
        methods = {sample.labels["method"] for metric in REQUESTS.collect() for sample in metric.samples}
        assert "other" in methods
        assert not methods & {"FOO1", "FOO2"}
