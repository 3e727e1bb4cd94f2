"""Sets a platform up for measuring, in a process with its environment: ``python -m benchmarks.plant``.

It prints one line of JSON: ids of the machines, keys, the site. Readings of the past may be loaded at once.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.load import ASSETS, PARAMETERS, make_load
from techtrack.demo.generators.machines import SIGNALS

# What raises the one alert there is: above 80 on the last machine.
ALARM = "alarm_level"
PASSWORD = "correct horse battery staple"  # noqa: S105 - of a platform that lives for minutes


def make_plant() -> dict[str, Any]:
    """Make a site, 1,000 machines, a rule for each of their 5,000 series that nothing fulfils, and keys."""
    from techtrack.accounts import services as accounts
    from techtrack.accounts.domain.access import Role, Scope, internal
    from techtrack.accounts.queries import access_of
    from techtrack.assets import services as assets
    from techtrack.assets.models import Asset
    from techtrack.core import clock

    now, us = clock.now(), internal("benchmarks")
    profile = {"username": "bench", "email": "bench@example.org", "is_staff": True, "is_superuser": True}
    user = accounts.create_user(by=us, profile=profile, password=PASSWORD, roles={None: Role.ADMIN}, now=now)
    site = accounts.create_site(by=us, fields={"name": "Plant", "timezone": "Europe/Berlin"}, now=now)
    parameters = [{"code": signal.code, "unit": ""} for signal in SIGNALS[:PARAMETERS]]
    data: dict[str, Any] = {"slug": "machine", "name": "Machine", "parameters": parameters}
    assets.create_asset_type(by=us, now=now, data={**data, "expected_interval": timedelta(seconds=10)})
    _machines(site, now)
    ids = list(Asset.objects.order_by("pk").values_list("pk", flat=True))
    _rules(ids, now)
    keys = {
        scope.value: accounts.create_key(
            by=access_of(user),
            name=scope.value,
            scope=scope,
            site=site if scope is Scope.INGEST else None,
            asset_id=None,
            expires_at=None,
            allowed_addresses=[],
            now=now,
        )[1]
        for scope in (Scope.INGEST, Scope.READ, Scope.WRITE)
    }
    return {"machines": ids, "keys": keys, "site": site.pk}


def _machines(site: Any, now: datetime) -> None:
    from techtrack.assets.models import Asset, AssetState, AssetType, Kind

    kind = AssetType.objects.get(slug="machine")
    stamps = {"created_at": now, "updated_at": now}
    made = [
        Asset(kind=Kind.EQUIPMENT, key=f"machine-{n:04}", name=f"Machine {n:04}", type=kind, site=site, **stamps)
        for n in range(1, ASSETS + 1)
    ]
    Asset.objects.bulk_create(made, batch_size=500)
    rows = [AssetState(asset_id=pk) for pk in Asset.objects.values_list("pk", flat=True)]
    AssetState.objects.bulk_create(rows, batch_size=500)


def _rules(ids: list[int], now: datetime) -> None:
    from techtrack.alerts.models import Rule

    conditions = [{"kind": "above", "limit": 1e9, "severity": "high"}]
    rules = [
        Rule(
            name=f"{signal.code} of {asset}",
            assets=[asset],
            parameter=signal.code,
            conditions=conditions,
            created_at=now,
            updated_at=now,
        )
        for asset in ids
        for signal in SIGNALS[:PARAMETERS]
    ]
    hot = [{"kind": "above", "limit": 80.0, "severity": "high"}]
    rules.append(Rule(name="Alarm", assets=ids[-1:], parameter=ALARM, conditions=hot, created_at=now, updated_at=now))
    Rule.objects.bulk_create(rules, batch_size=500)


def lay_rules(number: int) -> int:
    """Let so many rules, of all kinds and quiet, take the place of those that there are."""
    from django.db import transaction

    from benchmarks.judge import scope, terms_of
    from techtrack.alerts import rulebook
    from techtrack.alerts.models import Rule
    from techtrack.assets.models import Asset
    from techtrack.core import clock

    ids, codes = list(Asset.objects.order_by("pk").values_list("pk", flat=True)), [one.code for one in SIGNALS]
    stamps = {"created_at": clock.now(), "updated_at": clock.now()}
    watched = [(place, scope(place)) for place in range(number)]
    with transaction.atomic():
        Rule.objects.all().delete()
        Rule.objects.bulk_create(
            (
                Rule(
                    name=f"Rule {place}",
                    parameter=codes[place % PARAMETERS],
                    assets=[ids[asset - 1]],
                    **stamps,
                    **terms_of(place, mixed=True, limit=1e9),
                )
                for place, (_, asset) in watched
            ),
            batch_size=500,
        )
        rulebook.turn_page()
    return number


def make_people(number: int) -> dict[str, Any]:
    """Make so many engineers of the plant, the machine of each with a rule that is easily broken."""
    from django.db import transaction

    from techtrack.accounts import services as accounts
    from techtrack.accounts.domain.access import Role, internal
    from techtrack.accounts.models import Site, User
    from techtrack.alerts import rulebook
    from techtrack.alerts.models import Rule
    from techtrack.assets.models import Asset
    from techtrack.core import clock

    now, site = clock.now(), Site.objects.get().pk
    names = [f"engineer-{User.objects.count()}-{place}" for place in range(number)]
    for name in names:
        profile = {"username": name, "email": f"{name}@example.org"}
        roles = {site: Role.ENGINEER}
        accounts.create_user(by=internal("benchmarks"), profile=profile, password=PASSWORD, roles=roles, now=now)
    hot = [{"kind": "above", "limit": 80.0, "severity": "high"}]
    stamps = {"conditions": hot, "parameter": ALARM, "created_at": now, "updated_at": now}
    ids = Asset.objects.order_by("pk").values_list("pk", flat=True)[:number]
    with transaction.atomic():
        Rule.objects.bulk_create(Rule(name=f"Watch of {pk}", assets=[pk], **stamps) for pk in ids)
        rulebook.turn_page()
    return {"people": names, "password": PASSWORD, "alarm": ALARM, "codes": [one.code for one in SIGNALS[:PARAMETERS]]}


def load_past(*, first: int, count: int, ticks: int, step: timedelta, until: datetime) -> int:
    """Store the past of ``count`` machines as an import does; return how many values it had."""
    from techtrack.accounts.domain.access import internal
    from techtrack.assets.models import Asset
    from techtrack.core import clock
    from techtrack.telemetry.domain.reading import Batch, Origin
    from techtrack.telemetry.services import ingest

    ids = np.array(Asset.objects.order_by("pk").values_list("pk", flat=True)[first : first + count], np.int64)
    past = make_load(ticks=ticks, end=until, step=step, assets=len(ids))
    for start, end in past.stretches(20_000):
        times = np.repeat(past.times[start:end], len(ids))
        flat = past.values[start:end].reshape(-1, PARAMETERS)
        columns = {code: np.ascontiguousarray(flat[:, place]) for place, code in enumerate(past.codes)}
        batch = Batch(np.tile(ids, end - start), times, columns)
        ingest(batch=batch, by=internal("benchmarks"), now=clock.now(), origin=Origin.IMPORT)
    return past.count


def fold_rest() -> dict[str, float]:
    """Fold what the log still holds, as the platform does once the hour has closed; return its CPU seconds.

    Days are made too, for those who ask for them. They do not count: once a day is seldom beside two hours of readings.

    Setting Django up, which the platform has done long ago, does not count.
    """
    from techtrack.core import clock
    from techtrack.telemetry.models import LogConsumer
    from techtrack.telemetry.queries import head
    from techtrack.telemetry.store import days
    from techtrack.telemetry.store.compaction import compact

    began = time.process_time()
    while compact(clock.now(), force=True) is not None:
        pass
    cpu = time.process_time() - began
    while days.build(clock.now()):
        pass
    passed = LogConsumer.objects.get(name="store").position
    assert passed == head(), f"folded up to {passed} of {head()}"
    return {"cpu": cpu}


def sweep_log(*, at_most: float = 20.0) -> int:
    """Wait until the judge and the others have passed what is folded, and delete it; return how many segments stay."""
    from techtrack.telemetry.models import Segment
    from techtrack.telemetry.store.compaction import sweep

    deadline = time.monotonic() + at_most
    while (left := Segment.objects.count()) and time.monotonic() < deadline:
        sweep()
        time.sleep(0.5)
    return left


def main() -> None:
    """Do what the arguments say.

    The plant (none), ``fold``, ``sweep``, ``rules number``, ``people number``,
    past (``first count ticks step-in-s end``).
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")
    import django
    from django.core.management import call_command

    django.setup()
    if len(sys.argv) == 1:
        call_command("migrate", verbosity=0, interactive=False)
        told: Any = make_plant()
    elif sys.argv[1:] == ["fold"]:
        told = fold_rest()
    elif sys.argv[1] == "people":
        told = make_people(int(sys.argv[2]))
    elif sys.argv[1] == "rules":
        told = lay_rules(int(sys.argv[2]))
    elif sys.argv[1:] == ["sweep"]:
        told = sweep_log()
    else:
        first, count, ticks, step = (int(word) for word in sys.argv[1:5])
        until = datetime.fromisoformat(sys.argv[5])
        told = load_past(first=first, count=count, ticks=ticks, step=timedelta(seconds=step), until=until)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
