"""The demo as a visitor meets it: one command, a pasted line, Ctrl-C, the same again; and the plug pulled."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from tests.plugins.platform import ROOT, _clean_environment, database_url, free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("campaigns")]
READY_WITHIN = 90.0


class Demo:
    """``techtrack demo`` as a process of its own."""

    def __init__(self, home: Path, database: str) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = _clean_environment() | {
            "TECHTRACK_HOME": str(home),
            "DATABASE_URL": database,
            "PYTHON_DOTENV_DISABLED": "1",
            "COLUMNS": "300",
        }
        self._said = home / "said"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *more: str) -> list[str]:
        return [sys.executable, "-m", "techtrack.cli", "demo", "--port", str(self.port), *more]

    def start(self) -> str:
        """Start it; return what it says until it counts down."""
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(self.command(), env=self.environment, cwd=ROOT, stdout=said, stderr=said)
        wait(lambda: "Ctrl-C stops the demo" in self.said() or self._process.poll() is not None, READY_WITHIN)
        assert self._process.poll() is None, self.said()
        return self.said()

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(*more), env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )

    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def stop(self) -> int:
        """Press Ctrl-C; return the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=30)


def wait(true: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert true()


@pytest.fixture
def demo(tmp_path, worker_id) -> Iterator[Demo]:
    running = Demo(tmp_path, database_url(tmp_path, f"techtrack_demo_{worker_id}", new=True))
    yield running
    running.stop()


class TestDemo:
    def test_runs_stops_and_goes_on(self, demo):
        said = demo.start()
        token = self._log_in(demo, said)
        self._alert_by_the_pasted_line(demo, said, token)
        self._air_at_the_printed_addresses(said, token)
        wait(lambda: list((demo.home / "demo" / "inbox").glob("*.eml")), 20)
        seen = self._newest(demo, token)
        wait(lambda: self._newest(demo, token) > seen, 20)
        assert demo.stop() == 0
        before = (demo.home / "demo" / "clock.json").read_text()
        assert '"speed":0' in before

        again = demo.start()
        assert self._passwords(again) == self._passwords(said)
        assert demo.stop() == 0
        assert re.search(r'"start":"[^"]+"', before)[0] in (demo.home / "demo" / "clock.json").read_text()

        plug = demo.run("--pull-the-plug", "--times", "1")
        assert plug.returncode == 0, plug.stdout + plug.stderr
        assert " 0 lost" in plug.stdout

    def _passwords(self, said: str) -> dict[str, str]:
        return dict(re.findall(r"^  (olga|tom|erik|vera|adam) +(\S+)", said, re.MULTILINE))

    def _log_in(self, demo: Demo, said: str) -> dict[str, str]:
        body = {"username": "olga", "password": self._passwords(said)["olga"]}
        answer = requests.post(f"{demo.url}/api/token/", json=body, timeout=20)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access']}"}

    def _alert_by_the_pasted_line(self, demo: Demo, said: str, token: dict[str, str]) -> None:
        line = shlex.split(next(line for line in said.splitlines() if line.startswith("curl ")))
        headers = dict(part.split(": ", 1) for flag, part in pairwise(line) if flag == "-H")
        answer = requests.post(line[-1], data=line[line.index("-d") + 1], headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text

        def titles() -> str:
            return requests.get(f"{demo.url}/api/alerts/", headers=token, timeout=20).text

        wait(lambda: "Your device is too hot" in titles(), 10)

    def _air_at_the_printed_addresses(self, said: str, token: dict[str, str]) -> None:
        assert re.search(r"^The city's air: \d+, .+, by its \w+\. Log in", said, re.MULTILINE), said
        found = re.findall(r"^  .* (http://\S+/api/\S+)$", said, re.MULTILINE)
        assert len(found) == 5
        answers = [requests.get(address, headers=token, timeout=20) for address in found]
        assert [answer.status_code for answer in answers] == [200] * 5, [answer.text for answer in answers]
        index, year, report, *_ = answers
        # While the plant's clock catches up, its own time is what "now" means.
        assert index.json()["index"] is not None, index.text
        assert year.json()["days_left"] >= 0
        assert "Preliminary" in report.text

    def _newest(self, demo: Demo, token: dict[str, str]) -> str:
        path = f"{demo.url}/api/data/?equipment=inspection-1&page_size=1"
        (row,) = requests.get(path, headers=token, timeout=20).json()["results"]
        return str(row["timestamp"])

    def test_says_in_one_sentence_that_its_port_is_taken(self, demo):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", demo.port))
            taken.listen()
            done = demo.run()
        assert done.returncode == 2
        assert f"Port {demo.port} on 127.0.0.1 cannot be used" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
