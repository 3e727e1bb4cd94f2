"""Live fan-out: what one delivery to a socket costs the server, and how long it takes. Prints one table.

A platform as users start it (``techtrack up``, judge and all), a client process with many raw sockets, each with a
session of its own, and readings of a few assets in turn through the ingest door, so that every socket gets each.

.venv/bin/python benchmarks/live_fanout.py [--sockets 1000] [--rate 5000] [--seconds 15] [--database-url postgres://…]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
# Slower than one frame in 250 ms for each, or the server would rightly merge them.
ASSETS = 5
OPENED_AT_ONCE = 50

PREPARE = """
import json, sys
import django
django.setup()
from techtrack.accounts.domain.access import Role, internal
from techtrack.accounts.models import Membership, User
from techtrack.accounts.services import start_session
from techtrack.assets.models import Kind
from techtrack.assets.services import create_asset
from techtrack.core import clock
from django.db import transaction
user = User.objects.create(username="bench")
Membership.objects.create(user=user, role=Role.ADMIN)
make = lambda n: create_asset(
    kind=Kind.EQUIPMENT, by=internal(), now=clock.now(), data={"name": f"Machine {n}", "type": "machine"})
assets = [make(n) for n in range(int(sys.argv[2]))]
with transaction.atomic():
    tokens = [start_session(user=user, address="127.0.0.1", device="bench", now=clock.now()).access
              for _ in range(int(sys.argv[1]))]
print(json.dumps({"tokens": tokens, "assets": [getattr(a, "pk", a) for a in assets]}))
"""


class Server:
    """A platform in a folder of its own."""

    def __init__(self, home: str, database_url: str) -> None:
        with socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._env = os.environ | {
            "TECHTRACK_HOME": home,
            # All sockets are one person's, on one machine.
            "TECHTRACK_LIVE_SOCKETS_PER_ADDRESS": "5000",
            "TECHTRACK_LIVE_SOCKETS_PER_CALLER": "5000",
            "DATABASE_URL": database_url or f"sqlite:///{home}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
            "PYTHON_DOTENV_DISABLED": "1",
            "PYTHONPATH": str(ROOT),
        }
        self._log = (Path(home) / "server.log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it is ready."""
        command = [sys.executable, "-m", "techtrack.cli", "up", "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=self._env, cwd=ROOT, stdout=self._log, stderr=self._log)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2)
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise SystemExit(Path(self._log.name).read_text()[-2000:])

    def prepare(self, sockets: int) -> dict[str, Any]:
        """Make the sessions and the assets; return their tokens and ids."""
        command = [sys.executable, "-c", PREPARE, str(sockets), str(ASSETS)]
        done = subprocess.run(command, env=self._env, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout)

    def cpu(self) -> float:
        """Return the CPU seconds it has used, all threads, user and system."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
        self._log.close()


class Socket(asyncio.Protocol):
    """One socket, as cheap as Python allows: it notes when which bytes came, and reads them afterwards."""

    def __init__(self, port: int, token: str) -> None:
        self._hello = (
            f"GET /ws/live/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            # Every browser offers it.
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: list[tuple[float, bytes]] = []
        self._head = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to be upgraded."""
        self._transport = transport
        transport.write(self._hello)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Note it."""
        if not self._open:
            self._head += data
            if b"\r\n\r\n" in self._head:
                assert self._head.startswith(b"HTTP/1.1 101"), self._head
                self._open = True
                self._transport.write(_masked(b'{"type":"subscribe","topics":["readings"]}'))  # type: ignore[attr-defined]
        elif not self.subscribed.done():
            self.subscribed.set_result(None)
            self.heard.append((time.time(), data))
        else:
            self.heard.append((time.time(), data))

    def latencies(self) -> list[float]:
        """Return, for each reading heard, the seconds from its timestamp to its arrival."""
        found = []
        inflate = zlib.decompressobj(-15)
        for at, data in self.heard:
            for compressed, raw in _messages(data):
                message = inflate.decompress(raw + b"\0\0\xff\xff") if compressed else raw
                if message.startswith(b'{"type":"reading"'):
                    sent = datetime.fromisoformat(json.loads(message)["timestamp"]).timestamp()
                    found.append(at - sent)
        return found

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


def _masked(text: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


def _messages(data: bytes) -> list[tuple[bool, bytes]]:
    """Split what came into messages; of each, whether it is compressed."""
    found = []
    while data:
        compressed = bool(data[0] & 0x40)
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        found.append((compressed, data[start : start + length]))
        data = data[start + length :]
    return found


class Feeder:
    """Sends one reading at a time through the ingest door, on one connection."""

    def __init__(self, port: int, token: str, assets: list[int]) -> None:
        self._port, self._token, self._assets = port, token, assets
        self.sent = 0

    async def run(self, *, every: float, seconds: float) -> None:
        """Send to each asset in turn, on time whatever the last one took."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while (due := begun + self.sent * every) < begun + seconds:
            await asyncio.sleep(max(0.0, due - loop.time()))
            asset = self._assets[self.sent % len(self._assets)]
            now = datetime.fromtimestamp(time.time(), UTC).isoformat()
            body = json.dumps({"items": [{"asset": asset, "timestamp": now, "values": {"temperature": 71.3}}]}).encode()
            writer.write(
                f"POST /api/ingest/ HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self._token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head[:20], head
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            self.sent += 1
        writer.close()


async def client(port: int, plan: dict[str, Any], every: float, seconds: float) -> dict[str, Any]:
    """Open the sockets, say so, feed and hear; return what was heard."""
    loop = asyncio.get_running_loop()
    sockets = []
    for start in range(0, len(plan["tokens"]), OPENED_AT_ONCE):
        group = plan["tokens"][start : start + OPENED_AT_ONCE]
        made = [await loop.create_connection(lambda t=t: Socket(port, t), "127.0.0.1", port) for t in group]
        sockets += [protocol for _, protocol in made]
        await asyncio.gather(*(one.subscribed for one in sockets[start:]))
    await asyncio.sleep(2)
    print("open", flush=True)
    feeder = Feeder(port, plan["feeder"], plan["assets"])
    await feeder.run(every=every, seconds=seconds)
    await asyncio.sleep(1)
    latencies = [latency for one in sockets for latency in one.latencies()]
    for one in sockets:
        one.close()
    return {"sent": feeder.sent, "expected": feeder.sent * len(sockets), "latencies": latencies}


def measured(server: Server, plan: dict[str, Any], every: float, seconds: float) -> dict[str, Any]:
    """Run the client as a process of its own; return what it heard, and the server's CPU meanwhile."""
    command = [sys.executable, __file__, "--client", str(server.port), "--every", str(every), "--seconds", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(plan) + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "open":
            raise SystemExit("the client failed")
        before, begun = server.cpu(), time.monotonic()
        heard = json.loads(process.stdout.readline())
        return heard | {"cpu": server.cpu() - before, "wall": time.monotonic() - begun}


def report(arguments: argparse.Namespace) -> None:
    """Measure with all sockets, and with none for what everything else costs."""
    with tempfile.TemporaryDirectory() as home:
        server = Server(home, arguments.database_url)
        try:
            server.start()
            plan = server.prepare(arguments.sockets + 1)
            plan["feeder"] = plan["tokens"].pop()
            every = arguments.sockets / arguments.rate
            alone = measured(server, plan | {"tokens": []}, every, arguments.seconds)
            full = measured(server, plan, every, arguments.seconds)
        finally:
            server.stop()
    latencies = sorted(full["latencies"])
    if not latencies:
        raise SystemExit("nothing was delivered")
    cut = statistics.quantiles(latencies, n=100)
    deliveries = len(latencies)
    print(f"{arguments.sockets} sockets, {deliveries / arguments.seconds:,.0f} deliveries/s, {full['sent']} readings")
    print(f"{'figure':<52}{'bar':>8}{'measured':>10}")
    rows = [
        ("CPU of the server per delivery, µs", "25", full["cpu"] / deliveries * 1e6),
        ("… less what it needs without sockets, µs", "", (full["cpu"] - alone["cpu"]) / deliveries * 1e6),
        ("reading sent -> frame received, p50, ms", "", cut[49] * 1000),
        ("reading sent -> frame received, p99, ms", "100", cut[98] * 1000),
        ("reading sent -> frame received, longest, ms", "", latencies[-1] * 1000),
        ("frames not delivered", "0", full["expected"] - deliveries),
    ]
    for name, bar, figure in rows:
        print(f"{name:<52}{bar:>8}{figure:>10.1f}")


def main() -> None:
    """Read the arguments; the client is this file again, in another process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=5000, help="deliveries per second, over all sockets")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--database-url", default="", help="an empty database; SQLite in a temporary folder unless set")
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--every", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, arguments.sockets * 2 + 200)), hard))
    if arguments.client:
        plan = json.loads(sys.stdin.readline())
        print(json.dumps(asyncio.run(client(arguments.client, plan, arguments.every, arguments.seconds))))
    else:
        report(arguments)


if __name__ == "__main__":
    main()
