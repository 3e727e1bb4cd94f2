"""The hostile list on the wire: requests that no client would write, byte by byte, to a platform that runs."""

from __future__ import annotations

import gzip
import json
import re
import socket

import pytest
import requests

from tests.campaigns.hostile_ledger import Ledger

LIMIT = 32 * 1024 * 1024
SITE = b'{"name": "Never made"}'
CLOSED = 0
PATIENCE = 30.0


def head(*lines: bytes, first: bytes = b"POST /api/sites/ HTTP/1.1", host: bytes = b"Host: 127.0.0.1") -> bytes:
    """The head of a request; TOKEN stands for the caller's."""
    given = [first, host, b"Authorization: Bearer TOKEN", b"Connection: close", *lines]
    return b"\r\n".join(line for line in given if line) + b"\r\n\r\n"


def get(target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    """A request without a body."""
    return head(*lines, first=method + b" " + target + b" HTTP/1.1")


JSON = b"Content-Type: application/json"
SIZE = b"Content-Length: %d" % len(SITE)
CHUNKED = b"Transfer-Encoding: chunked"

WIRE: dict[str, bytes] = {
    "nothing, then the end": b"",
    "an empty line": b"\r\n\r\n",
    "noise": bytes(range(256)),
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "an HTTP/2 greeting": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /api/sites/\r\n\r\n",
    "HTTP/9.9": b"GET /api/sites/ HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "no version": b"GET /api/sites/ \r\nHost: 127.0.0.1\r\n\r\n",
    "no host": head(first=b"GET /api/sites/ HTTP/1.1", host=b""),
    "two hosts": get(b"/api/sites/", b"Host: example.org"),
    "a foreign host": head(first=b"GET /api/sites/ HTTP/1.1", host=b"Host: example.org"),
    "an IPv6 zone for a host": head(first=b"GET /api/sites/ HTTP/1.1", host=b"Host: [fe80::1%eth0]"),
    "a whole URL for a path": get(b"http://example.org/api/sites/"),
    "a path without a slash": get(b"api/sites/"),
    "a star for a path": get(b"*", method=b"OPTIONS"),
    "CONNECT": get(b"example.org:443", method=b"CONNECT"),
    "TRACE": get(b"/api/sites/", method=b"TRACE"),
    "a method of 1,000 letters": get(b"/api/sites/", method=b"X" * 1_000),
    "a method with NUL": get(b"/api/sites/", method=b"GE\x00T"),
    "a method in small letters": get(b"/api/sites/", method=b"get"),
    "a path upwards": get(b"/api/../../../../etc/passwd"),
    "a path upwards, encoded": get(b"/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
    "a path upwards, with slashes encoded": get(b"/static/..%2f..%2f..%2f..%2fetc%2fpasswd"),
    "a path upwards with a backslash": get(b"/static/..\\..\\..\\etc\\passwd"),
    "a path upwards, twice encoded": get(b"/static/%252e%252e/%252e%252e/etc/passwd"),
    "the data folder": get(b"/var/secrets/jwt_key"),
    "two slashes": get(b"//example.org/api/sites/"),
    "NUL in a path": get(b"/api/sites/\x00"),
    "NUL in a path, encoded": get(b"/api/sites/%00/"),
    "bytes in a path": get(b"/api/sites/\xff\xfe/"),
    "a path of 100,000 letters": get(b"/api/" + b"x" * 100_000 + b"/"),
    "a query of 60,000 letters": get(b"/api/sites/?search=" + b"x" * 60_000),
    "a space in a path": get(b"/api/si tes/"),
    "a header of 100,000 letters": get(b"/api/sites/", b"X-A: " + b"x" * 100_000),
    "5,000 headers": get(b"/api/sites/", *[b"X-%d: 1" % number for number in range(5_000)]),
    "a header without a colon": get(b"/api/sites/", b"nonsense"),
    "a header without a name": get(b"/api/sites/", b": nonsense"),
    "a header with a space before the colon": get(b"/api/sites/", b"X-A : 1"),
    "a header over two lines": get(b"/api/sites/", b"X-A: 1\r\n 2"),
    "a header with NUL": get(b"/api/sites/", b"X-A: a\x00b"),
    "a header with a bare return": get(b"/api/sites/", b"X-A: a\rX-B: b"),
    "a header of bytes": get(b"/api/sites/", b"X-A: \xff\xfe"),
    "a charset of NUL": head(b"Content-Type: application/json; charset=\x00", SIZE) + SITE,
    "lines without returns": b"GET /api/sites/ HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n",
    "a length and chunks": head(JSON, SIZE, CHUNKED) + b"0\r\n\r\n",
    "two lengths": head(JSON, SIZE, b"Content-Length: 5") + SITE,
    "a negative length": head(JSON, b"Content-Length: -1") + SITE,
    "a length with a plus": head(JSON, b"Content-Length: +%d" % len(SITE)) + SITE,
    "a length in Arabic digits": head(JSON, "Content-Length: \u0663".encode()) + SITE,
    "a length beyond 64 bits": head(JSON, b"Content-Length: 99999999999999999999") + SITE,
    "a length that is none": head(JSON, b"Content-Length: x") + SITE,
    "a length beyond the limit": head(JSON, b"Content-Length: %d" % (LIMIT + 1)) + SITE,
    "a length beyond the limit, at the fast door": head(
        JSON, b"Content-Length: %d" % (LIMIT + 1), first=b"POST /api/ingest/ HTTP/1.1"
    ),
    "a length beyond the limit, for a page": head(
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: %d" % (LIMIT + 1),
        first=b"POST /login/ HTTP/1.1",
    ),
    "chunks of a size that is none": head(JSON, CHUNKED) + b"zz\r\n",
    "chunks of a negative size": head(JSON, CHUNKED) + b"-1\r\n",
    "chunks beyond 64 bits": head(JSON, CHUNKED) + b"FFFFFFFFFFFFFFFFF\r\n",
    "chunks without an end of line": head(JSON, CHUNKED) + b"5\r\nhelloX",
    "a transfer that is none": head(JSON, b"Transfer-Encoding: x") + SITE,
    "chunks, obfuscated": head(JSON, b"Transfer-Encoding: xchunked", SIZE) + SITE,
    "chunks, twice": head(JSON, CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "chunks with a space": head(JSON, b"Transfer-Encoding : chunked", SIZE) + SITE,
    "gzip": head(JSON, b"Content-Encoding: gzip", b"Content-Length: %d" % len(gzip.compress(SITE, mtime=0)))
    + gzip.compress(SITE, mtime=0),
    "a bomb": head(JSON, b"Content-Encoding: gzip", b"Content-Length: %d" % len(gzip.compress(bytes(10**7), mtime=0)))
    + gzip.compress(bytes(10**7), mtime=0),
    "an expectation that is none": head(JSON, b"Expect: 200-ok", b"Content-Length: 1") + b"{",
    "a body where none is read": get(b"/api/sites/", SIZE) + SITE,
    "a request behind a request": get(b"/api/none/", b"Content-Length: 0") + b"GET /api/users/ HTTP/1.1\r\n\r\n",
    "an upgrade to what is not there": get(b"/api/sites/", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
    "a socket where there is none": get(
        b"/api/sites/",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    ).replace(b"Connection: close", b"Connection: upgrade"),
    "a socket with a token in its address": get(
        b"/ws/live/?token=x",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    ).replace(b"Connection: close", b"Connection: upgrade"),
    "a socket of another version": get(
        b"/ws/live/", b"Upgrade: websocket", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 99"
    ).replace(b"Connection: close", b"Connection: upgrade"),
}
# Nothing of these is wrong yet: the server waits for the rest.
WAITS = {"nothing, then the end", "an empty line"}
# The body ends before its length, and the client goes: nobody is there to be answered, and nothing may be made.
CUT_SHORT: dict[str, bytes] = {
    "a body cut short": head(JSON, SIZE) + SITE[:-1],
    "a body that would be good, cut short": head(JSON, b"Content-Length: 1000") + SITE,
    "chunks without an end": head(JSON, CHUNKED) + b"%x\r\n" % len(SITE) + SITE + b"\r\n",
    "a head cut short": b"POST /api/sites/ HTTP/1.1\r\nHost: 127.0",
    "readings cut short": head(JSON, b"Content-Length: 1000", first=b"POST /api/ingest/ HTTP/1.1") + b'{"items": []}',
}


def told(port: int, raw: bytes, *, ends: bool = False, goes: bool = False) -> bytes:
    """Send bytes and return what comes back; ``ends`` sends no more, ``goes`` does not even listen."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as wire:
        try:
            wire.sendall(raw)
            if goes or ends:
                wire.shutdown(socket.SHUT_WR)
            if goes:
                return b""
            parts = []
            while part := wire.recv(65_536):
                parts.append(part)
        except (ConnectionError, TimeoutError):
            return b""
    return b"".join(parts)


def status_of(answer: bytes) -> int:
    """The status of an answer; CLOSED where the server said nothing."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else CLOSED


@pytest.fixture
def sites(platform):
    """How many sites there are."""
    return lambda: platform.call("GET", "/api/sites/").json()["count"]


def test_each_is_refused_or_answered_and_makes_nothing(platform, sites):
    ledger = Ledger("wire", usual=400)
    token, before = platform.token().encode(), sites()
    for name, raw in WIRE.items():
        answer = told(platform.port, raw.replace(b"TOKEN", token), ends=name in WAITS)
        status = status_of(answer)
        ledger.note("the wire", "(bytes)", name, status)
        if b"root:" in answer or b"Traceback" in answer:
            ledger.blame("the wire", "(bytes)", name, "it tells what it must not")
        if status >= 400 and b"application/problem+json" in answer:
            found = re.search(rb"\{.*\}", answer, re.DOTALL)
            assert found is None or json.loads(found[0])["status"] == status, answer
        if sites() != before:
            ledger.blame("the wire", "(bytes)", name, "a site was made")
            before = sites()
    ledger.close()


def test_what_is_cut_short_makes_nothing(platform, sites):
    token, before = platform.token().encode(), sites()
    for raw in CUT_SHORT.values():
        told(platform.port, raw.replace(b"TOKEN", token), goes=True)
    assert sites() == before
    assert requests.get(f"{platform.url}/healthz", timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["/api/sites/", "/api/ingest/", "/api/data/", "/api/token/", "/login/", "/api/none/"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in chunks"])
def test_a_body_beyond_the_limit_is_413_at_every_door(platform, path, declared):
    line = b"Content-Length: %d" % (LIMIT + 1) if declared else CHUNKED
    first = b"POST " + path.encode() + b" HTTP/1.1"
    raw = head(JSON, line, first=first).replace(b"TOKEN", platform.token().encode())
    with socket.create_connection(("127.0.0.1", platform.port), timeout=PATIENCE) as wire:
        try:
            wire.sendall(raw)
            for _ in range(0 if declared else LIMIT // 2**20 + 1):
                wire.sendall(b"%x\r\n" % 2**20 + b" " * 2**20 + b"\r\n")
        except ConnectionError:
            # Refused while it was still being sent: the answer lies there all the same.
            pass
        answer = wire.recv(65_536)
    assert status_of(answer) == 413
