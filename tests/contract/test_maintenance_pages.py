"""The bodies that the pages for technicians and planners show are taken by the doors that they name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import time_machine

from techtrack.accounts.queries import access_of
from techtrack.tasks import services
from techtrack.tasks.domain.meters import Kind as MeterKind
from techtrack.tasks.domain.reasons import Reason
from techtrack.tasks.models import Phase
from tests import factories
from tests.factories import NOW

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"
DOING = (PAGES / "do-the-work.md").read_text(encoding="utf-8")
PLANNING = (PAGES / "plan-maintenance.md").read_text(encoding="utf-8")
CURL = re.compile(
    r"curl (?:-X (?P<method>\w+) )?[^\n]*\\?\n?\s*-d '(?P<body>\{.*?\})' http://127\.0\.0\.1:8000(?P<path>/api/\S+)",
    re.DOTALL,
)
GET = re.compile(r'"http://127\.0\.0\.1:8000(?P<path>/api/[^"]+)"')


@pytest.fixture
def scene(olga, erik, plant, robot):
    """What the pages name by their numbers."""
    rule = factories.make_rule(site=plant)
    alert, other = (factories.make_alert(robot, rule=one) for one in (rule, None))
    task = services.create_task(by=access_of(olga), data={"title": "Mend", "asset": robot, "alert": alert}, now=NOW)
    factories.make_type("press")
    return {"equipment": robot.pk, "rule": rule.pk, "alert": other.pk, "task": task.pk, "site": plant.pk}


def put(body, scene):
    """The body with the numbers of the scene."""
    named = {name: scene[name] for name in ("equipment", "site") if name in body}
    conditions = {"conditions": [{"rule": scene["rule"]}]} if "conditions" in body else {}
    return body | named | conditions


@pytest.mark.django_db
@pytest.mark.parametrize(("page", "count"), [(DOING, 4), (PLANNING, 2)], ids=["technicians", "planners"])
def test_every_body_is_taken(api, erik, scene, page, count):
    found = [(one["method"] or "POST", one["path"], json.loads(one["body"])) for one in CURL.finditer(page)]
    assert len(found) == count
    for method, path, body in found:
        there = path.replace("/alerts/7/", f"/alerts/{scene['alert']}/").replace(
            "/tasks/12/", f"/tasks/{scene['task']}/"
        )
        with time_machine.travel(NOW, tick=False):
            answer = getattr(api(erik), method.lower())(there, put(body, scene), format="json")
        assert answer.status_code in {200, 201}, (path, answer.json())


@pytest.mark.django_db
@pytest.mark.parametrize("page", [DOING, PLANNING], ids=["technicians", "planners"])
def test_every_address_answers(api, adam, scene, page):
    found = [one["path"] for one in GET.finditer(page)]
    assert found
    for path in found:
        answer = api(adam).get(path.replace("site=1", f"site={scene['site']}"))
        assert answer.status_code == 200, (path, answer.content)


def test_every_word_is_explained():
    words = set(re.findall(r"`(\w+)`", DOING + PLANNING))
    assert words >= set(Phase.values)
    assert words >= {reason.value for reason in Reason}
    assert words >= set(MeterKind.__args__)
