"""The page on dashboards: its script follows a running platform, what it shows by hand is what the socket speaks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing

import pytest
from jsonschema import Draft202012Validator

from techtrack.config.asyncapi import document
from techtrack.live.hub import hub
from techtrack.live.messages import BadMessage, read
from tests.plugins.platform import ROOT

PAGE = (ROOT / "docs" / "how-to" / "connect-a-dashboard.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


class TestScript:
    @pytest.fixture
    def script(self, platform):
        key = platform.call("POST", "/api/keys/", json={"name": "wall", "scope": "read"}).json()["key"]
        (text,) = blocks("python")
        env = os.environ | {"PLANT": platform.url, "KEY": key, "PYTHONPATH": str(ROOT / "clients" / "python")}
        process = subprocess.Popen([sys.executable, "-c", text], env=env, stdout=subprocess.PIPE, text=True)
        with closing(process.stdout):
            yield process
            process.kill()
            process.wait()

    def test_tells_of_an_alert(self, script, platform):
        assert re.fullmatch(r"\d+ open alerts\n", script.stdout.readline())
        machine = platform.call("POST", "/api/equipment/", json={"name": "Press"}).json()["id"]
        reported = platform.call("POST", "/api/alerts/", json={"equipment": machine, "title": "It rattles"})
        assert reported.status_code == 201, reported.text
        assert script.stdout.readline().endswith(" It rattles\n")


class TestByHand:
    def test_says_what_is_understood(self):
        said = re.findall(r"^→ (.*)$", PAGE, re.MULTILINE)
        assert len(said) == 4
        for line in said:
            assert not isinstance(read(line)[1], BadMessage), line

    def test_hears_what_the_document_describes(self):
        told = document()
        heard = [json.loads(line) for line in re.findall(r"^← (.*)$", PAGE, re.MULTILINE)]
        assert len(heard) == 4
        for frame in heard:
            payload = told["components"]["messages"][frame["type"]]["payload"]
            Draft202012Validator(payload | {"components": told["components"]}).validate(frame)

    def test_names_every_topic_and_every_code(self):
        named = set(re.findall(r"`([^`\n]+)`", PAGE))
        assert {topic.pattern for topic in hub.topics.kinds()} <= named
        for code in document()["channels"]["live"]["x-close-codes"]:
            assert code in PAGE
