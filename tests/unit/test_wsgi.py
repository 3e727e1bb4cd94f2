"""Django served by WSGI alone: what such a process begins with its first request."""

from __future__ import annotations

import threading

from techtrack.config.wsgi import Alone


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
