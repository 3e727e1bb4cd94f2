"""The bodies that the page on tasks shows are taken by the doors that it names, and what it promises is so."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from techtrack.tasks.domain import attachments, steps
from techtrack.tasks.files import pictures
from techtrack.tasks.services.attachments import KEPT_UNUSED
from tests import factories

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "work-on-a-task.md").read_text(encoding="utf-8")
CURL = re.compile(r"-d '(?P<body>\{.*?\})' http://127\.0\.0\.1:8000(?P<path>/api/\S+)", re.DOTALL)


@pytest.mark.django_db
def test_every_body_is_taken(api, olga, erik, robot):
    found = [(one["path"], json.loads(one["body"])) for one in CURL.finditer(PAGE)]
    assert len(found) == 5
    made = api(olga).post(found[0][0], found[0][1] | {"equipment": robot.pk}, format="json")
    assert made.status_code == 201, made.json()
    other = factories.make_task(olga)
    for path, body in found[1:]:
        send = api(olga).patch if path.endswith("/answers/") else api(olga).post
        sent = body | ({"task": other.pk} if "task" in body else {})
        answer = send(path.replace("/7/", f"/{made.json()['id']}/"), sent, format="json")
        assert answer.status_code in {200, 201}, answer.json()
    told = api(olga).get(f"/api/tasks/{made.json()['id']}/").json()
    assert (told["progress"]["failed"], told["spent_time"]) == (1, "PT1H30M")
    assert api(olga).get("/api/tasks/?blocked=true").json()["count"] == 1


def test_every_kind_of_step_is_named():
    assert set(re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE)) == set(steps.KINDS)


def test_the_bounds_are_those_of_the_code():
    sizes = {form.most // attachments.MEBIBYTE for kind, form in attachments.FORMS.items() if kind in attachments.TEXTS}
    others = {form.most // attachments.MEBIBYTE for kind, form in attachments.FORMS.items()} - sizes
    assert (sizes, others) == ({5}, {20})
    assert f"{attachments.MOST_FILES} files and {attachments.MOST_BYTES // attachments.MEBIBYTE} MiB" in PAGE
    assert f"at most {pictures.SIDE} pixels" in PAGE
    assert timedelta(hours=2) - KEPT_UNUSED >= timedelta(hours=1)
