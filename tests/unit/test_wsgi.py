"""Django served by WSGI alone: what such a process begins with its first request."""

from __future__ import annotations

import io
import json
import threading

from techtrack.config.wsgi import Alone, Complete


class TestAlone:
    def test_begins_before_its_first_request_and_never_again(self):
        seen: list[str] = []

        def answer(environ, start_response):
            seen.append("request")
            return [environ["PATH_INFO"].encode()]

        served = Alone(answer, lambda: seen.append("begin"))
        assert seen == []
        assert served({"PATH_INFO": "/a"}, lambda *_: None) == [b"/a"]
        assert served({"PATH_INFO": "/b"}, lambda *_: None) == [b"/b"]
        assert seen == ["begin", "request", "request"]

    def test_begins_once_when_many_requests_come_first(self):
        together, begun = threading.Barrier(8), []
        served = Alone(lambda *_: [b""], lambda: begun.append(1))

        def ask() -> None:
            together.wait()
            served({}, lambda *_: None)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert begun == [1]

    def test_begins_again_with_the_next_request_where_it_failed(self):
        tries: list[int] = []

        def begin() -> None:
            tries.append(1)
            if len(tries) == 1:
                raise OSError

        served = Alone(lambda *_: [b""], begin)
        for _ in range(3):
            try:
                served({}, lambda *_: None)
            except OSError:
                continue
        assert len(tries) == 2


class TestComplete:
    @staticmethod
    def ask(body: bytes, **environ: str) -> tuple[str, bytes]:
        """Return the status and the answer, which is the body as it was read."""
        said: list[str] = []

        def echo(environ, start_response):
            start_response("200 OK", [])
            return [environ["wsgi.input"].read()]

        served = Complete(echo, limit=10)
        environ = {"PATH_INFO": "/", "wsgi.input": io.BytesIO(body), **environ}
        answer = b"".join(served(environ, lambda status, _: said.append(status)))
        return said[0], answer

    def test_lets_whole_bodies_through(self):
        assert self.ask(b"0123456789", CONTENT_LENGTH="10") == ("200 OK", b"0123456789")
        assert self.ask(b"", CONTENT_LENGTH="") == ("200 OK", b"")

    def test_refuses_a_body_that_was_cut_off_and_one_in_chunks(self):
        for body, how in ((b"{}", {"CONTENT_LENGTH": "9"}), (b"{}", {"HTTP_TRANSFER_ENCODING": "chunked"})):
            status, problem = self.ask(body, **how)
            assert status.startswith("400 ")
            assert json.loads(problem)["code"] == "incomplete_body"

    def test_leaves_one_that_is_too_long_unread(self):
        assert self.ask(b"01234567890", CONTENT_LENGTH="11") == ("200 OK", b"01234567890")
