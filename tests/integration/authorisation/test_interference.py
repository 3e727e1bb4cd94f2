"""What happens at one site moves nothing that people of another one read: no count, no sum, no tag."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from techtrack.core.api import viewsets
from tests import factories
from tests.integration.authorisation import policy
from tests.integration.authorisation.mutants import _rows_of
from tests.integration.authorisation.policy import OWN
from tests.integration.authorisation.walk import Answer, Walker, operations, undone
from tests.integration.authorisation.world import NOW, Side

pytestmark = pytest.mark.django_db
READERS = ("self_registered", "viewer", "engineer", "site_admin", "read_key", "site_key")
READ = sorted(row.operation for row in policy.rows().values() if row.at.startswith("GET"))


def more(side: Side) -> None:
    """More of everything at a site, the worst of it."""
    robot = factories.make_equipment("Another", site=side.site, type=factories.make_type("robot"), tags=["new"])
    factories.make_sensor("Another", site=side.site)
    for minutes in range(5):
        factories.make_reading(robot, at=NOW - timedelta(minutes=minutes), temperature=99.0)
    rule = factories.make_rule(site=side.site)
    for _ in range(3):
        factories.make_alert(robot, severity="critical")
    factories.make_alert(robot, rule=rule, acknowledged_at=NOW, acknowledged_by=side.people["operator"])
    factories.make_silence(site=side.site)
    channel = factories.make_channel(site=side.site)
    factories.make_route(channel, site=side.site)
    factories.make_rota(side.people["operator"], site=side.site)
    factories.make_delivery(channel, site=side.site)
    factories.make_task(side.people["operator"], asset_id=robot.pk)


def read(walker: Walker, name: str) -> dict[str, tuple[int, str, dict[str, str]]]:
    """What everybody of the one site reads by an operation."""
    found: dict[str, Answer] = {
        who: walker.ask(operations()[name], walker.world.principals[who], OWN) for who in READERS
    }
    return {who: (one.status, _steady(one.plain), one.compared([])[2]) for who, one in found.items()}


def _steady(text: str) -> str:
    """Without how long it took."""
    return re.sub(r'"(seconds|took|age)": ?[0-9.e-]+', "", text)


def moved(walker: Walker, name: str) -> list[str]:
    """Whose reading changes with what happens elsewhere."""
    viewsets._statements.clear()
    before = read(walker, name)
    with undone():
        more(walker.world.other("quokka"))
        after = read(walker, name)
    return [f"{who}: {before[who]} {after[who]}" for who in READERS if before[who] != after[who]]


@pytest.mark.parametrize("name", READ)
def test_reading_is_not_moved_by_what_happens_elsewhere(name, walker):
    assert moved(walker, name) == []


def test_a_planted_sum_over_all_sites_is_found(walker, monkeypatch):
    _rows_of(factories.Alert)(monkeypatch)
    assert moved(walker, "alerts_kpi")


def test_what_happens_is_seen_where_it_does(walker):
    viewer = walker.world.principals["far_viewer"]
    before = walker.ask(operations()["alerts_list"], viewer, OWN)
    with undone():
        more(walker.world.other("quokka"))
        assert walker.ask(operations()["alerts_list"], viewer, OWN).text != before.text
