"""``techtrack rules preview`` at a terminal."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from techtrack.cli import main
from tests import factories
from tests.integration.alerts.test_lab import HOT, store

FILE = """
rules:
  - name: Hot
    parameter: temperature
    conditions: [{kind: above, limit: 80, severity: high}]
"""
SPAN = ["--from", "2026-03-01", "--to", "2026-03-01T10:00:00Z"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path):
    """A file with a rule."""
    path = tmp_path / "hot.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def run(*said, code=0):
    """Run the command; return what it printed."""
    found = CliRunner().invoke(main, ["rules", "preview", *SPAN, *map(str, said)], catch_exceptions=False)
    assert found.exit_code == code, found.output
    return found.output


class TestPreview:
    def test_tells_of_each_asset_and_of_all(self, file, plant):
        for name in ("Press", "Mill"):
            store(factories.make_equipment(name, site=plant, key=name.lower()))

        told = run("--rule", file)

        assert [line.split()[:5] for line in told.splitlines() if line.startswith(("Press", "Mill", "all"))] == [
            ["Press", "1,800", "181", "181", "179"],
            ["Mill", "1,800", "181", "181", "179"],
            ["all", "3,600", "362", "362", "358"],
        ]
        assert "Advice: with a deadband of 0.51, 179 of 179 repeats are gone: 181 raises become 2" in told

    def test_is_kept_to_the_assets_that_are_named(self, file, plant):
        for name in ("Press", "Mill"):
            store(factories.make_equipment(name, site=plant, key=name.lower()))

        assert "Press" not in run("--rule", file, "--asset", "mill")

    def test_takes_a_stored_rule_and_tells_all_as_json(self, plant, robot):
        store(robot)
        rule = factories.make_rule(site=plant, **{name: HOT[name] for name in ("parameter", "conditions")})

        told = json.loads(run("--rule", rule.pk, "--json"))

        assert (told["rule"], told["total"]["raises"]) == (rule.pk, 181)

    def test_says_what_is_not_there(self, file, robot):
        assert "there are no readings of it in this time" in run("--rule", file, "--asset", robot.pk)

    def test_warns(self, tmp_path, robot):
        store(robot)
        path = tmp_path / "always.yaml"
        path.write_text(FILE.replace("above", "below"), encoding="utf-8")

        assert "Warning: it would be active for" in run("--rule", path, "--asset", robot.pk)

    def test_tells_missed_incidents(self, file, tmp_path, robot):
        store(robot)
        known = tmp_path / "known.yaml"
        known.write_text("- {name: fire, from: 2026-03-01T06:00:00Z, to: 2026-03-01T07:00:00Z}", encoding="utf-8")

        assert "Incident fire: missed" in run("--rule", file, "--asset", robot.pk, "--incidents", known)

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            (["--rule", "999"], "there is no rule 999"),
            (["--rule", "nowhere.yaml"], "there is no file or folder nowhere.yaml"),
            (["--rule", "FILE#Cold"], "holds Hot"),
            (["--rule", "FILE", "--asset", "nobody"], "there is no asset 'nobody'"),
            (["--rule", "FILE", "--sweep", "colour=red"], "is no sweep such as deadband=0,1,2"),
            (["--rule", "FILE", "--sweep", "deadband=much"], "'much' is no number"),
            (["--rule", "FILE", "--sweep", "on_delay=5"], "'5' is no duration such as PT5M"),
            (["--rule", "FILE", "--to", "2026-02-01"], "--from lies before --to"),
            (["--rule", "FILE", "--from", "yesterday"], "'yesterday' is no time"),
            (["--rule", "FILE", "--incidents", "FILE"], "is no list of incidents"),
        ],
    )
    def test_refuses_in_a_sentence(self, file, said, told):
        output = run(*(part.replace("FILE", str(file)) for part in said), code=2)

        assert told in " ".join(output.split())

    def test_fits_a_terminal_that_nobody_has_widened(self, file, tmp_path, plant):
        press = factories.make_equipment("Press of the second hall, left side", site=plant, key="press")
        store(press)
        known = tmp_path / "known.yaml"
        known.write_text("- {name: fire, from: 2026-03-01T06:00:00Z, to: 2026-03-01T07:00:00Z}", encoding="utf-8")
        axes = ("limit=80,81", "deadband=0,0.5", "on_delay=PT0S,PT12M22.488S", "off_delay=PT0S,PT1H")
        sweep = [part for axis in axes for part in ("--sweep", axis)]

        told = run("--rule", file, "--incidents", known, *sweep)

        rows = [line for line in told.splitlines() if not line.startswith(("Advice", "        {"))]
        assert len([line for line in rows if line.lstrip().startswith(("80 ", "81 "))]) == 16
        assert max(len(line) for line in rows) <= 80
        assert "…" not in told
        assert " 12.4 min " in told
        assert "12.3748" not in told

    def test_says_below_why_settings_cannot_be_tried(self, file, tmp_path, robot):
        store(robot)
        path = tmp_path / "band.yaml"
        path.write_text(FILE.replace("above, limit: 80", "outside, low: 0, high: 80"), encoding="utf-8")

        told = run("--rule", path, "--asset", robot.pk, "--sweep", "deadband=1,100")

        assert "deadband 100: the deadband is larger than half the band" in told

    def test_points_into_the_file(self, tmp_path):
        path = tmp_path / "bad.yaml"
        path.write_text(FILE.replace("limit: 80", "limit: hot"), encoding="utf-8")

        assert f"{path}:5: " in run("--rule", path, code=2).replace("\n", "")
