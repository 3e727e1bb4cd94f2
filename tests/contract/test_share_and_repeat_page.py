"""The bodies that the page on shared and recurring work shows are taken, and what it promises is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import time_machine

from techtrack.tasks.domain.schedule import Anchor, CatchUp
from techtrack.tasks.models import Level
from techtrack.tasks.services import KEPT, links
from tests import factories

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "share-and-repeat-work.md").read_text("utf-8")
CURL = re.compile(
    r"curl (?:-X (?P<method>\w+) )?[^\n]*\\?\n?\s*-d '(?P<body>\{.*?\})' http://127\.0\.0\.1:8000(?P<path>/api/\S+)",
    re.DOTALL,
)


@pytest.mark.django_db
def test_every_body_is_taken(api, olga, erik, vera):
    task = factories.make_task(olga, owners=[olga])
    people = {"owners": [erik.pk, olga.pk], "shared_with": [{"user": vera.pk, "level": "comment"}]}
    found = [(one["method"] or "POST", one["path"], json.loads(one["body"])) for one in CURL.finditer(PAGE)]
    assert len(found) == 5
    for method, path, body in found:
        named = json.loads(json.dumps(body).replace('"id": 7', f'"id": {task.pk}'))
        sent = named | {name: people[name] for name in people.keys() & body.keys()}
        with time_machine.travel(factories.NOW, tick=False):
            answer = getattr(api(olga), method.lower())(path.replace("/7/", f"/{task.pk}/"), sent, format="json")
        assert answer.status_code in {200, 201}, (path, answer.json())
    assert api(olga).get("/api/tasks/changes/").json()["more"] is False


def test_every_word_is_explained():
    words = set(re.findall(r"`(\w+)`", PAGE))
    assert words >= {*Level.values, *Anchor, *CatchUp}


def test_the_bounds_are_those_of_the_code():
    assert (links.LASTS.days, links.LONGEST.days, KEPT.days) == (7, 366, 30)
