"""The cheap client and the reading of CPU: what it reports is what happened."""

from __future__ import annotations

import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import pytest

from benchmarks import client
from benchmarks.processes import cpu_seconds, tree


class Echo(BaseHTTPRequestHandler):
    """Answers with what it got, in chunks where it is asked to, with 400 where the body says so."""

    protocol_version = "HTTP/1.1"
    got: ClassVar[list[bytes]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(body)
        self.send_response(400 if body == b"bad" else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (body[:1], body[1:], b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def port() -> Iterator[int]:
    Echo.got = []
    with Threads(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def posts(count: int, path: str = "/") -> list[bytes]:
    return [client.request("POST", path, b"body %d" % number) for number in range(count)]


# The client forks; the server of the test is a thread, which the child does not touch.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class TestSend:
    def test_sends_each_once_over_as_many_connections_as_are_asked_for(self, port):
        sent = client.send(port, posts(50), connections=4)
        assert sorted(Echo.got) == sorted(b"body %d" % number for number in range(50))
        assert sent.statuses == {200: 50}
        assert len(sent.latencies) == 50
        assert sent.received == sum(map(len, Echo.got))

    def test_reads_answers_that_come_in_chunks(self, port):
        sent = client.send(port, posts(3, "/chunked"))
        assert sent.last == b"body 0"

    def test_keeps_a_pace(self, port):
        sent = client.send(port, posts(20), connections=4, rate=100)
        assert 0.18 < sent.seconds < 2

    def test_goes_round_until_the_time_is_over(self, port):
        sent = client.send(port, posts(2), seconds=0.3)
        assert len(sent.latencies) > 2
        assert sent.seconds >= 0.3

    def test_does_not_pass_over_a_refusal(self, port):
        sent = client.send(port, [*posts(2), client.request("POST", "/", b"bad")])
        with pytest.raises(AssertionError, match=r"400: 1"):
            sent.check("planted")


class TestCpu:
    def test_counts_children_that_live_and_those_that_have_ended(self):
        burn = "import time\nwhile time.process_time() < 0.3: pass\n"
        # One child that has ended and was waited for, one that lives on.
        parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\n"
        parent += f"child = subprocess.Popen([sys.executable, '-c', {burn!r} + 'time.sleep(60)'])\n"
        parent += "print('ready', flush=True)\nsys.stdin.read()\nchild.kill()\nchild.wait()\n"
        process = subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline().strip() == b"ready"
            deadline = time.monotonic() + 30
            while cpu_seconds([process.pid]) < 0.55 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert cpu_seconds([process.pid]) >= 0.55
            assert len(tree([process.pid])) == 2
        finally:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()

    def test_of_a_process_that_is_gone_is_nothing(self):
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        assert cpu_seconds([process.pid]) == 0

    def test_sees_this_process(self):
        assert os.getpid() in tree([os.getpid()])
