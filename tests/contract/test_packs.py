"""Every pack makes a type whose rules are quiet while all is well, and of which one speaks when something is not."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from techtrack.accounts.domain.access import Role, internal
from techtrack.accounts.queries import access_of
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert
from techtrack.assets import queries, services
from techtrack.assets.domain.packs import Measured, Pack, parse
from techtrack.assets.domain.running import RunningSign
from techtrack.core import clock
from techtrack.core.clock import read_duration, to_micros
from techtrack.tasks import jobs as tasks
from techtrack.tasks.models import Task
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests import factories
from tests.factories import NOW

ROOT = Path(__file__).resolve().parents[2]
PACKS = queries.packs()
RULES = [pytest.param(pack, rule, id=f"{pack.slug}: {rule['name']}") for pack in PACKS.values() for rule in pack.rules]
CONDITIONS = [
    pytest.param(pack, rule, condition, id=f"{pack.slug}: {rule['name']}, {condition['severity']}")
    for pack in PACKS.values()
    for rule in pack.rules
    for condition in rule["conditions"]
]
every_pack = pytest.mark.parametrize("pack", [pytest.param(pack, id=slug) for slug, pack in PACKS.items()])
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def leaves(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """The conditions of a rule, or within one, that compare something."""
    return [leaf for part in rule["conditions"] for leaf in leaves(part)] if "conditions" in rule else [rule]


def number(limit: Any) -> float:
    """A limit, where the asset brings none."""
    return float(limit["default"] if isinstance(limit, dict) else limit)


def duration(text: str) -> timedelta:
    """A duration of a pack."""
    found = read_duration(text)
    assert found is not None, text
    return found


@dataclass
class Plant:
    """An asset of a type that was made of a pack, and its sensors; readings come each minute, the judge each hour."""

    asset: Any
    judge: Judge
    moment: dict[str, datetime]
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(18_2))

    def live(self, pack: Pack, span: timedelta, means: dict[str, float], still: frozenset[str] = frozenset()) -> None:
        """Let time pass: parameters move a little around their means, those in ``still`` do not; no means: silence."""
        end = self.moment["now"] + span
        while self.moment["now"] < end:
            start, self.moment["now"] = self.moment["now"], min(self.moment["now"] + HOUR, end)
            times = np.arange(to_micros(start), to_micros(self.moment["now"]), MINUTE // timedelta(microseconds=1))
            columns = {one.code: self._column(one, means, still, len(times)) for one in pack.parameters if means}
            rows = [
                Row(self.asset.pk, int(at), {code: float(column[place]) for code, column in columns.items()})
                for place, at in enumerate(times)
                if columns
            ]
            if rows:
                telemetry.ingest(batch=Batch.of(rows), by=internal(), now=self.moment["now"], origin=Origin.LIVE)
            while self.judge.work():
                pass

    def _column(self, one: Measured, means: dict[str, float], still: frozenset[str], count: int) -> np.ndarray:
        spread = 0.002 * abs(one.typical) + 0.001 * (one.maximum - one.minimum)
        noise = self.chance.normal(0.0, 0.0 if one.code in still else spread, count)
        return np.clip(means[one.code] + noise, one.minimum, one.maximum)


@pytest.fixture
def moment(monkeypatch):
    """The plant's clock, which a test moves."""
    now = {"now": NOW}
    monkeypatch.setattr(clock.plant_now, "_source", lambda: now["now"])
    return now


@pytest.fixture
def make(adam, plant, moment):
    """Makes an asset of a type of a pack, and a judge that has begun before its first reading."""

    def made(pack: Pack) -> Plant:
        kind = services.create_asset_type(by=access_of(adam), now=NOW, data={}, pack=pack.slug)
        asset = factories.make_equipment(site=plant, type=kind)
        judge = Judge()
        judge.work()
        return Plant(asset, judge, moment)

    return made


def usual(pack: Pack) -> dict[str, float]:
    """What sensors say of a machine that is well."""
    return {one.code: one.typical for one in pack.parameters}


def trouble(pack: Pack, rule: dict[str, Any], condition: dict[str, Any]) -> dict[str, float]:
    """What they say when a condition of the rule holds, and no graver one; nothing at all where it misses data."""
    means = usual(pack)
    slack = 3 * rule.get("deadband", 0.0)
    for leaf in leaves(condition):
        code = leaf.get("parameter") or rule["parameter"]
        one = next(measured for measured in pack.parameters if measured.code == code)
        match leaf["kind"]:
            case "above" | "air_quality":
                limit = number(leaf["limit"])
                means[code] = max(means[code], limit + max(slack, 0.1 * abs(limit)))
            case "below":
                limit = number(leaf["limit"])
                means[code] = min(means[code], limit - max(slack, 0.1 * abs(limit)))
            case "outside":
                limit = number(leaf["high"])
                means[code] = limit + max(slack, 0.1 * abs(limit))
            case "control_chart":
                means[code] += 0.01 * (one.maximum - one.minimum)
            case "flatline":
                pass
            case "no_data":
                return {}
            case kind:
                pytest.fail(f"say here how {kind} is provoked")
    return means


def spans(pack: Pack, rule: dict[str, Any]) -> tuple[timedelta, timedelta]:
    """How long all must be well before the rule can judge, and how long the trouble must last until it has."""
    window = duration((rule.get("aggregate") or {}).get("window", "PT0S"))
    before, after = 2 * window, duration(rule.get("on_delay", "PT0S")) + 2 * window
    for leaf in leaves(rule):
        before = max(before, leaf.get("learn", 0) * window + window)
        after += 2 * duration(leaf.get("average", "PT0S")) + duration(leaf.get("duration", "PT0S"))
        if leaf["kind"] == "no_data":
            after += float(leaf["after"].rstrip("x")) * pack.expected_interval
    return before + 10 * MINUTE, after + 10 * MINUTE


class TestEveryPack:
    @every_pack
    def test_is_calm_while_all_is_well(self, pack, make):
        plant = make(pack)
        plant.live(pack, max(sum(spans(pack, rule), timedelta(0)) for rule in pack.rules), usual(pack))
        assert list(Alert.objects.values_list("title", "value")) == []

    @pytest.mark.parametrize(("pack", "rule", "condition"), CONDITIONS)
    def test_says_what_is_wrong_and_nothing_else(self, pack, rule, condition, make):
        plant = make(pack)
        before, after = spans(pack, rule)
        plant.live(pack, before, usual(pack))
        stuck = {rule["parameter"] for leaf in leaves(condition) if leaf["kind"] == "flatline"}
        plant.live(pack, after, trouble(pack, rule, condition), frozenset(stuck))
        alert = Alert.objects.select_related("rule").get()
        assert (alert.rule.name, alert.severity, alert.active) == (rule["name"], condition["severity"], True)

    @every_pack
    def test_has_rules_as_the_api_takes_and_gives_them(self, pack, api):
        client = api(factories.make_user("chief", role=Role.ENGINEER))
        client.post("/api/asset-types/", {"pack": pack.slug}, format="json")
        made = client.get(f"/api/rules/?asset_type={pack.slug}&page_size=100").json()["results"]
        for rule in pack.rules:
            response = client.post("/api/rules/", rule | {"scope": {"asset_type": pack.slug}}, format="json")
            assert response.status_code == 201, response.json()
            by_pack = next(one for one in made if one["name"] == rule["name"])
            # The second of the same name and scope is warned of.
            own = {"id", "created_at", "updated_at", "warning"}
            assert {name: by_pack[name] for name in by_pack.keys() - own} == {
                name: value for name, value in response.json().items() if name in by_pack.keys() - own
            }


class TestPlanted:
    """What the tests above must not let pass."""

    @pytest.mark.parametrize(
        ("default", "alerts"),
        [pytest.param(1.75, 1, id="within what is usual"), pytest.param(5.1, 0, id="sound")],
    )
    def test_a_limit_that_good_data_crosses_is_seen(self, default, alerts, make, monkeypatch):
        text = (Path(services.__file__).parent / "packs" / "pump.yaml").read_text(encoding="utf-8")
        planted = parse(text.replace("attribute: vibration_high, default: 5.1", f"attribute: x, default: {default}"))
        monkeypatch.setattr(queries, "packs", lambda: {"pump": planted})
        make(planted).live(planted, HOUR, usual(planted))
        assert Alert.objects.count() == alerts

    def test_a_pump_with_limits_of_its_own_is_judged_by_them(self, make):
        pack = PACKS["pump"]
        plant = make(pack)
        larger = factories.make_equipment(type=plant.asset.type, attributes={"vibration_high": 7.5})
        shaken = usual(pack) | {"vibration": 7.0}
        plant.live(pack, 10 * MINUTE, shaken)
        Plant(larger, plant.judge, plant.moment).live(pack, 10 * MINUTE, shaken)
        assert list(Alert.objects.values_list("asset", "limit")) == [(plant.asset.pk, 5.1)]


class TestRules:
    """What EEMUA 191 and ISA-18.2 ask of alarms, as far as a file can show it."""

    @pytest.mark.parametrize(("pack", "rule"), RULES)
    def test_tells_the_operator_what_to_do(self, pack, rule):
        assert set(rule["guidance"]) == {"cause", "consequence", "action", "respond_within"}
        assert all(rule["guidance"].values())
        assert duration(rule["guidance"]["respond_within"]) >= 5 * MINUTE

    @pytest.mark.parametrize(("pack", "rule"), RULES)
    def test_does_not_chatter(self, pack, rule):
        assert duration(rule["reraise_window"]) >= 30 * MINUTE
        if {leaf["kind"] for leaf in leaves(rule)} & {"above", "below", "outside", "inside"}:
            assert rule.get("deadband") or rule.get("count")
            assert {"on_delay", "aggregate", "count"} & set(rule)

    def test_are_mostly_of_low_severity(self):
        told = Counter(one["severity"] for pack in PACKS.values() for rule in pack.rules for one in rule["conditions"])
        share = {name: count / told.total() for name, count in told.items()}
        # EEMUA 191: about 80 % low, 15 % medium, 5 % high.
        assert share["low"] >= 0.7
        assert share["high"] + share.get("critical", 0.0) <= 0.07

    @every_pack
    def test_are_few(self, pack):
        assert len(pack.rules) <= 10
        assert pack.sources


class TestPlans:
    @every_pack
    def test_are_made_with_the_type_and_ask_for_nothing_yet(self, pack, api, plant, adam):
        chief = factories.make_user("chief", role=Role.ENGINEER)
        kind = services.create_asset_type(by=access_of(chief), now=NOW, data={}, pack=pack.slug)
        factories.make_equipment(site=plant, type=kind)
        tasks.reconcile_plans()
        while tasks.plan_work():
            pass
        listed = api(chief).get("/api/plans/", {"asset_type": pack.slug}).json()["results"]
        assert [one["name"] for one in listed] == sorted(plan["name"] for plan in pack.plans)
        assert all(one["next"]["asset_name"] for one in listed)
        assert not Task.objects.exists()

    @every_pack
    def test_are_taken_and_given_back_by_the_api(self, pack, api):
        client = api(factories.make_user("chief", role=Role.ENGINEER))
        client.post("/api/asset-types/", {"pack": pack.slug}, format="json")
        for one in client.get("/api/plans/", {"asset_type": pack.slug}).json()["results"]:
            again = client.put(f"/api/plans/{one['id']}/", one, format="json")
            assert again.status_code == 200, again.json()
            assert again.json() | {"version": 1, "updated_at": ""} == one | {"version": 1, "updated_at": ""}

    @every_pack
    def test_say_by_what_one_sees_that_a_machine_runs(self, pack):
        usual_ = usual(pack)
        if pack.running is not None:
            sign = RunningSign.parse(pack.running, pointer="")
            assert usual_[sign.parameter] > sign.limit({})


class TestFiles:
    def test_bear_the_names_of_their_packs(self):
        folder = Path(services.__file__).parent / "packs"
        assert {file.name for file in folder.iterdir()} == {f"{slug}.yaml" for slug in PACKS}

    def test_stand_in_the_table_of_the_docs(self):
        page = (ROOT / "docs" / "reference" / "packs.md").read_text(encoding="utf-8")
        for slug, pack in PACKS.items():
            line = next((line for line in page.splitlines() if line.startswith(f"| `{slug}` |")), "")
            assert line.endswith(f"| {len(pack.parameters)} | {len(pack.rules)} | {len(pack.plans)} |")

    def test_are_shipped(self):
        listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
        assert "**/*.yaml" in listed["package-data"]["techtrack"]
