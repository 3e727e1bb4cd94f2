"""Requests that people asked for: to the address that was checked and nowhere else, and over at their deadline.

Every connection is seen by a recorder in place of ``socket.connect``, which lets through what leads to loopback servers
of the test and refuses all else: nothing here ever dials an outside address.
"""

from __future__ import annotations

import _socket
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from techtrack.core import outgoing
from techtrack.core.destinations import RefusedDestination

# Seconds within which whatever hangs must have ended, on a machine that is busy with other tests.
GENEROUS = 20


class Recorder:
    """What was connected to."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Records every connection; only 127.0.0.1 is really dialled."""
    seen = Recorder()
    real = socket.socket.connect

    def connect(self: socket.socket, where: tuple[str, int]) -> None:
        seen.dialled.append((where[0], where[1]))
        if where[0] != "127.0.0.1":
            raise ConnectionRefusedError("recorded, not dialled")
        real(self, where)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``resolve("10.0.0.1", …)``: what every name resolves to; several lists are the answers one after another."""

    def arrange(*answers: list[str]) -> None:
        waiting = list(answers)

        def getaddrinfo(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return arrange


Speaking = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Speaking], int]]:
    """``serve(speak)``: a server on 127.0.0.1 that has ``speak`` answer each connection; returns its port."""
    listeners: list[socket.socket] = []
    ended = threading.Event()

    def start(speak: Speaking) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            with suppress(OSError):
                while not ended.is_set():
                    answer(listener.accept()[0])

        def answer(sock: socket.socket) -> None:
            with sock, suppress(OSError):
                sock.recv(65536)
                speak(sock)

        threading.Thread(target=accept, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    ended.set()
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def says(*parts: bytes) -> Speaking:
    """A server that says this and hangs up."""

    def speak(sock: socket.socket) -> None:
        for part in parts:
            sock.sendall(part)

    return speak


def ask(url: str) -> outgoing.Answer:
    return outgoing.request("POST", url, headers={"X-Test": "1"}, body=b"hello")


OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\ntaken"
INSIDE = [
    *("127.0.0.1", "127.0.0.2", "0.0.0.0"),  # noqa: S104 - refused, not bound to
    *("10.0.0.1", "100.64.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
    *("::1", "::", "fd00::1", "fe80::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    *("2001:0:7f00:1::", "::127.0.0.1", "ff02::1"),
]  # fmt: skip


class TestDestination:
    @pytest.mark.parametrize("address", INSIDE)
    def test_inside_is_not_dialled(self, recorder, address):
        host = f"[{address}]" if ":" in address else address
        with pytest.raises(RefusedDestination):
            ask(f"http://{host}/")
        assert recorder.dialled == []

    @pytest.mark.parametrize("address", [address for address in INSIDE if ":" not in address])
    def test_named_is_refused_where_any_address_is_inside(self, recorder, resolve, address):
        resolve(["8.8.8.8", address])
        with pytest.raises(RefusedDestination):
            ask("http://hook.example/")
        assert recorder.dialled == []

    def test_is_the_address_that_was_checked(self, recorder, resolve):
        # A resolver that says something public to whoever checks, and something private to whoever connects.
        resolve(["8.8.8.8"], ["127.0.0.1"])
        with pytest.raises(outgoing.Unreachable):
            ask("http://rebound.example/")
        assert recorder.dialled == [("8.8.8.8", 80)]

    @pytest.mark.parametrize("url", ["http://hook.example:22/", "https://hook.example:8080/"])
    def test_on_an_unusual_port_is_not_dialled(self, recorder, resolve, url):
        resolve(["8.8.8.8"])
        with pytest.raises(RefusedDestination):
            ask(url)
        assert recorder.dialled == []

    @pytest.mark.parametrize("target", ["http://127.0.0.1/", "http://10.0.0.1/", "/again", "file:///etc/passwd"])
    def test_is_not_left_by_a_redirect(self, recorder, serve, settings, target):
        port = serve(says(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()))
        settings.PRIVATE_DESTINATIONS = ["127.0.0.1"]
        assert ask(f"http://127.0.0.1:{port}/").status == 302
        assert recorder.dialled == [("127.0.0.1", port)]

    def test_is_not_a_proxy_of_the_environment(self, recorder, resolve, monkeypatch):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:3128")
        resolve(["8.8.8.8"])
        with pytest.raises(outgoing.Unreachable):
            ask("http://hook.example/")
        assert recorder.dialled == [("8.8.8.8", 80)]

    def test_is_tried_at_each_of_its_addresses(self, recorder, serve, settings, resolve):
        settings.PRIVATE_DESTINATIONS = ["gateway.example"]
        port = serve(says(OK))
        resolve(["10.0.0.1", "127.0.0.1"])
        assert ask(f"http://gateway.example:{port}/").body == b"taken"
        assert recorder.dialled == [("10.0.0.1", port), ("127.0.0.1", port)]

    def test_that_cannot_be_looked_up_says_so(self, recorder, monkeypatch):
        def getaddrinfo(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        with pytest.raises(outgoing.Unreachable, match="cannot be looked up"):
            ask("http://nowhere.example/")

    def test_planted_a_guard_that_looks_only_at_the_first_address_is_caught(self, recorder, resolve, monkeypatch):
        resolve(["8.8.8.8", "127.0.0.1"])
        real = outgoing.permit
        monkeypatch.setattr(outgoing, "permit", lambda *parts: real(*parts) if str(parts[2]) == "8.8.8.8" else None)
        with suppress(outgoing.Unreachable):
            ask("http://hook.example/")
        assert ("127.0.0.1", 80) in recorder.dialled


@pytest.fixture
def _loopback(settings):
    settings.PRIVATE_DESTINATIONS = ["127.0.0.1"]
    settings.HTTP_TIMEOUT = 0.5


def drips(first: bytes) -> Speaking:
    """A server that says a byte at a time, and would for ever."""

    def speak(sock: socket.socket) -> None:
        sock.sendall(first)
        while True:
            sock.sendall(b"a")
            time.sleep(0.05)

    return speak


def hangs(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def floods(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        sock.sendall(b"a" * 65536)


@pytest.mark.usefixtures("_loopback")
class TestAnswer:
    def test_has_status_reason_and_body(self, serve):
        answer = ask(f"http://127.0.0.1:{serve(says(OK))}/hook")
        assert (answer.status, answer.reason, answer.body) == (200, "Fine", b"taken")

    def test_is_to_a_whole_request(self, serve):
        asked = []

        def speak(sock: socket.socket) -> None:
            sock.sendall(OK)

        real = socket.socket.recv
        port = serve(speak)
        with pytest.MonkeyPatch.context() as patch:

            def recv(sock: socket.socket, size: int) -> bytes:
                data = real(sock, size)
                asked.append(data)
                return data

            patch.setattr(socket.socket, "recv", recv)
            ask(f"http://127.0.0.1:{port}/a?b=c")
        request = b"".join(asked)
        assert request.startswith(b"POST /a?b=c HTTP/1.1\r\n")
        assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in request
        assert b"\r\nX-Test: 1\r\n" in request

    @pytest.mark.parametrize(
        "speak",
        [
            pytest.param(hangs, id="nothing at all"),
            pytest.param(drips(b""), id="a status line that never ends"),
            pytest.param(drips(b"HTTP/1.1 200 OK\r\nX-Long: "), id="a header that never ends"),
            pytest.param(drips(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "), id="patience asked for"),
        ],
    )
    def test_that_does_not_come_is_no_answer(self, serve, speak):
        with pytest.raises(outgoing.Unreachable, match=r"within 0\.5 s|did not answer|too long|timed out"):
            within(lambda: ask(f"http://127.0.0.1:{serve(speak)}/"))

    @pytest.mark.parametrize(
        "speak",
        [
            pytest.param(drips(b"HTTP/1.1 200 OK\r\n\r\n"), id="a body that drips"),
            pytest.param(floods, id="a body without end"),
            pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"), id="a body that breaks off"),
        ],
    )
    def test_counts_by_its_status_whatever_the_body(self, serve, speak):
        answer = within(lambda: ask(f"http://127.0.0.1:{serve(speak)}/"))
        assert answer.status == 200
        assert len(answer.body) <= outgoing.MOST_READ

    @pytest.mark.parametrize(
        "speak",
        [
            pytest.param(says(b""), id="it hangs up"),
            pytest.param(says(b"220 smtp.example ESMTP\r\n"), id="another protocol"),
            pytest.param(says(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200), id="headers without end"),
        ],
    )
    def test_that_is_none_is_unreachable(self, serve, speak):
        with pytest.raises(outgoing.Unreachable):
            within(lambda: ask(f"http://127.0.0.1:{serve(speak)}/"))

    def test_without_a_listener_is_unreachable(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with pytest.raises(outgoing.Unreachable, match="ConnectionRefusedError"):
            ask(f"http://127.0.0.1:{port}/")


@pytest.mark.usefixtures("_loopback")
def test_a_planted_timeout_for_each_wait_alone_is_caught(serve, monkeypatch):
    """Without the cut a server that drips is listened to for as long as it drips."""
    enough = threading.Event()

    def speak(sock: socket.socket) -> None:
        while not enough.is_set():
            sock.sendall(b"a")
            enough.wait(0.05)

    monkeypatch.setattr(outgoing.Call, "cut", lambda _: None)
    url = f"http://127.0.0.1:{serve(speak)}/"
    ended: list[BaseException] = []

    def run() -> None:
        try:
            ask(url)
        except outgoing.Unreachable as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    # Four times its deadline.
    thread.join(2)
    assert not ended
    enough.set()
    thread.join(GENEROUS)
    assert ended


def within(work: Callable[[], outgoing.Answer]) -> outgoing.Answer:
    """Do ``work``, which must end by itself."""
    results: list[outgoing.Answer | BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(GENEROUS)
    assert results, "it does not end"
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


class TestLibrary:
    """What a library connects to by itself is permitted first, as the address that it dials."""

    def reach(self, address: str) -> Callable[[], str]:
        def work() -> str:
            with socket.socket() as sock:
                sock.settimeout(5)
                # Beneath what keeps tests inside: the interpreter's own call.
                _socket.socket.connect(sock, (address, 1))
            return "reached"

        return work

    # Port 1 of loopback: where the interpreter would let it through, nobody listens.
    @pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
    def test_is_held_back(self, settings, address):
        settings.PRIVATE_DESTINATIONS = []
        with outgoing.Call(5) as call, pytest.raises(RefusedDestination):
            outgoing.within(call, self.reach(address))

    def test_reaches_what_is_allowed_and_is_cut_at_the_deadline(self, serve, settings):
        settings.PRIVATE_DESTINATIONS = ["127.0.0.1"]
        port = serve(drips(b""))
        ended = threading.Event()

        def work() -> None:
            with suppress(OSError), socket.socket() as sock:
                sock.connect(("127.0.0.1", port))
                sock.sendall(b"x")
                while sock.recv(100):
                    pass
            ended.set()

        with outgoing.Call(0.5) as call, suppress(TimeoutError):
            outgoing.within(call, work)
        # Nobody waits for the thread, and it ends all the same.
        assert ended.wait(GENEROUS)

    def test_leaves_other_threads_alone(self, serve, settings):
        settings.PRIVATE_DESTINATIONS = []
        with outgoing.Call(5) as call:
            outgoing.within(call, lambda: None)
        with socket.create_connection(("127.0.0.1", serve(says(b"x"))), timeout=5) as sock:
            sock.sendall(b"hello")
            assert sock.recv(1) == b"x"

    def test_gives_back_what_it_raises(self):
        def work() -> None:
            raise ValueError("its own")

        with outgoing.Call(5) as call, pytest.raises(ValueError, match="its own"):
            outgoing.within(call, work)
