"""The bodies that the page on alerts shows are taken by the doors that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from techtrack.alerts.services import ACTIONS
from tests import factories

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "handle-alerts.md").read_text(encoding="utf-8")
CURL = re.compile(r"-d '(?P<body>\{.*?\})' http://127\.0\.0\.1:8000(?P<path>/api/\S+)", re.DOTALL)


@pytest.mark.django_db
def test_every_body_is_taken(api, erik, plant, robot):
    factories.make_type("pump")
    found = [(one["path"], json.loads(one["body"])) for one in CURL.finditer(PAGE)]
    assert len(found) == 2
    for path, body in found:
        alert = factories.make_alert(robot)
        sent = body | ({"site": plant.pk} if "site" in body else {})
        answer = api(erik).post(path.replace("/7/", f"/{alert.pk}/"), sent, format="json")
        assert answer.status_code in {200, 201}, answer.json()


def test_every_action_is_named():
    assert set(re.findall(r"`([a-z-]+)`", PAGE)) >= set(ACTIONS)
