"""The bodies that the page on telling people shows are taken by the doors that it names, and it names all there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from techtrack.notifications.domain.grouping import GROUP_LABELS
from techtrack.notifications.models import DeliveryState
from tests import factories

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "who-is-told-when.md").read_text(encoding="utf-8")
CURL = re.compile(
    r"curl (?:-X (?P<method>\w+) )?-H.*?-d '(?P<body>\{.*?\})' http://127\.0\.0\.1:8000(?P<path>/api/\S+)", re.DOTALL
)


def here(body: dict[str, Any], ids: dict[str, list[int]]) -> dict[str, Any]:
    """The body with the ids of things that there are, instead of 1 and 2."""
    return {name: _here(name, value, ids) for name, value in body.items()}


def _here(name: str, value: Any, ids: dict[str, list[int]]) -> Any:
    if name in ids:
        return [ids[name][pk - 1] for pk in value] if isinstance(value, list) else ids[name][value - 1]
    return [here(one, ids) for one in value] if name in {"escalation", "overrides"} else value


@pytest.mark.django_db
def test_every_body_is_taken(api, erik, olga, plant):
    channel, rota = factories.make_channel(site=plant), factories.make_rota(olga, site=plant)
    people = [olga.pk, erik.pk]
    ids = {
        "site": [plant.pk],
        "channels": [channel.pk],
        "channel": [channel.pk],
        "rotas": [rota.pk],
        "people": people,
        "person": people,
    }
    found = [(one["method"] or "POST", one["path"], json.loads(one["body"])) for one in CURL.finditer(PAGE)]
    assert len(found) == PAGE.count("```sh")
    for method, path, body in found:
        sent = here(body, ids)
        answer = api(erik).generic(method, path, json.dumps(sent), content_type="application/json")
        assert answer.status_code in {200, 201}, (path, answer.json())


def test_every_label_and_state_is_named():
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert named >= {*GROUP_LABELS, *DeliveryState.values}
