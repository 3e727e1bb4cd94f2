"""The tutorial's Django REST Framework application, on a better server than the tutorial's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import client
from benchmarks.load import Load, stamp
from benchmarks.peers.served import ROOT, Served


class TutorialDRF(Served):
    """ModelViewSet with many=True on typed columns under a unique constraint, served by granian."""

    name = "tutorial DRF"
    tables = ("drf_reading",)

    def write_request(self, load: Load, first: int, last: int, machines: Sequence[int] | None = None) -> bytes:
        rows = [
            self._row(load, at, asset, values)
            for asset, at, values in load.rows(first, last, machines or self.machines)
        ]
        return self._post(f"[{','.join(rows)}]")

    def single_request(self, load: Load, tick: int, machine: int) -> bytes:
        values = zip(load.decimals, load.values[tick, machine].tolist(), strict=True)
        texts = [f"{value:.{places}f}" for places, value in values]
        return self._post(self._row(load, int(load.times[tick]), self.machines[machine], texts))

    @staticmethod
    def _row(load: Load, at: int, machine: int, values: list[str]) -> str:
        said = ",".join(f'"{code}":{value}' for code, value in zip(load.codes, values, strict=True))
        return f'{{"machine":{machine},"timestamp":"{stamp(at)}",{said}}}'

    def _post(self, body: str) -> bytes:
        headers = {"Content-Type": "application/json", "Authorization": f"Token {self._token}"}
        return client.request("POST", "/api/readings/", body.encode(), headers)

    def _prepare(self) -> None:
        command = [sys.executable, "-m", "benchmarks.peers.drf.prepare", str(len(self.machines))]
        env = self._environment()
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
        self._token = done.stdout.strip()

    def _command(self) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"]
        program = str(Path(sys.executable).with_name("granian"))
        return [program, "--interface", "wsgi", *where, "benchmarks.peers.drf.wsgi:application"]

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {
            "DJANGO_SETTINGS_MODULE": "benchmarks.peers.drf.settings",
            "BENCH_HOST": str(self._postgres.folder),
            "BENCH_PORT": str(self._postgres.port),
            "BENCH_NAME": self._database,
        }
