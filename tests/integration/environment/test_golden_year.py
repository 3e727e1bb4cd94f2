"""docs/how-to/air-quality-report.md: a real year from file to report, and a low-cost unit beside its reference."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from techtrack.cli import main
from techtrack.core import clock
from techtrack.demo.recordings import DATA
from techtrack.telemetry import services as telemetry
from tests import factories
from tests.integration.environment.stations import HOUR, import_low_cost, make_station

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-to" / "air-quality-report.md"
FILE = "techtrack/demo/data/prsa_aotizhongxin.csv.gz"
REFERENCE = DATA / "airnowtech_reference.csv.gz"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (raw|`\w+`|reference) \|(.*)\|$", re.MULTILINE)


def blocks() -> list[tuple[str, str]]:
    """Language and text of each block of the page."""
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def run(command: str) -> str:
    """Run a command of the page; what it printed."""
    found = CliRunner().invoke(main, shlex.split(command)[1:], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return "\n".join(line.rstrip() for line in found.output.strip().splitlines())


def within(shown: Any, told: Any) -> bool:
    """Tell whether an answer says what is shown, and perhaps more members."""
    if isinstance(shown, dict):
        return isinstance(told, dict) and all(name in told and within(one, told[name]) for name, one in shown.items())
    if isinstance(shown, list):
        return len(shown) <= len(told) and all(map(within, shown, told))
    return shown == told


class Session:
    """Sends the requests of the page; ids that were given stand for their names in braces."""

    def __init__(self, client: Any) -> None:
        self._client, self._ids = client, {}

    def send(self, text: str) -> Any:
        head, _, body = text.partition("\n")
        method, path = head.split()
        data = json.loads(body) if body.strip() else None
        found = getattr(self._client, method.lower())(self._named(path), self._filled(data), format="json")
        assert found.status_code in {200, 201}, found.content
        told = found.json()
        for name in ("site", "sensor"):
            if path == f"/api/{name}s/":
                self._ids[name] = told["id"]
        return told

    def _named(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: str(self._ids[found[1]]), text)

    def _filled(self, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: self._filled(value) for name, value in data.items()}
        found = re.fullmatch(r"\{(\w+)\}", data) if isinstance(data, str) else None
        return self._ids[found[1]] if found else data


@pytest.mark.django_db(transaction=True)
def test_the_page_shows_what_happens(api, adam, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).symlink_to(DATA / Path(FILE).name)
    # As in a new installation: what comes before its first look is tested too.
    telemetry.begin(consumer="quality")
    session, told = Session(api(adam)), None
    for language, text in blocks():
        if language == "http":
            told = session.send(text)
        elif language == "sh":
            told = run(text)
        elif language == "json":
            assert within(json.loads(text), told), told
        else:
            assert told == text.strip()


def reference() -> dict[str, float]:
    """The monitor's PM2.5 by the end of its hour; what it doubted itself is left out."""
    rows = csv.DictReader(io.StringIO(gzip.decompress(REFERENCE.read_bytes()).decode()))
    found = {}
    for row in rows:
        if row["Param"].startswith("PM2.5") and row["QC Code"] == "0":
            begins = datetime.strptime(f"{row['Date (UTC)']} {row['Time (UTC)']} +0000", "%m/%d/%Y %H:%M %z")
            found[clock.isoformat(begins + HOUR)] = float(row["Value"])
    return found


def figures(values: np.ndarray, beside: np.ndarray) -> str:
    """A row of the page's table."""
    error = values - beside
    numbers = (values.mean(), error.mean(), np.abs(error).mean(), np.sqrt((error**2).mean()))
    return f" {len(values)} | " + " | ".join(f"{one:.2f}" for one in numbers) + " "


def test_a_low_cost_unit_is_held_beside_its_reference(db, api, adam):
    unit = make_station("Toco Toucan", site=factories.make_site("Burdens Creek"))
    import_low_cost(unit)
    beside, client, found = reference(), api(adam), {}
    for name in ("barkjohn_2021", "epa_2021", "hackair"):
        span = "from=2019-08-01T05:00:00Z&to=2019-09-01T05:00:00Z"
        told = client.get(f"/api/sensors/{unit.pk}/corrected/?correction={name}&{span}").json()
        rows = [row for row in told["rows"] if None not in row and row[0] in beside]
        values = np.array([[raw, done, beside[at]] for at, raw, done in rows])
        found["reference"] = figures(values[:, 2], values[:, 2])
        found["raw"] = figures(values[:, 0], values[:, 2])
        found[f"`{name}`"] = figures(values[:, 1], values[:, 2])
        assert told["mean_raw"] is not None
    shown = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))
    assert found == shown
