"""The page of the store: for administrators alone, and found by them in the navigation."""

from __future__ import annotations

import pytest
from django.test import Client


class TestStorePage:
    def test_offers_an_administrator_checks_and_rebuilds(self, page, adam):
        content = page(adam).get("/store/").content.decode()
        assert 'data-store-ask="check"' in content
        assert 'data-store-ask="rebuild"' in content

    def test_is_closed_to_everybody_else(self, page, erik, vera, mallory):
        assert [page(one).get("/store/").status_code for one in (erik, vera, mallory)] == [403, 403, 403]
        assert Client().get("/store/").url == "/login/?next=/store/"

    def test_is_in_the_navigation_of_administrators_alone(self, page, adam, erik):
        assert 'href="/store/"' in page(adam).get("/tasks/").content.decode()
        assert 'href="/store/"' not in page(erik).get("/tasks/").content.decode()

    def test_loads_nothing_that_its_policy_forbids(self, page, adam):
        response = page(adam).get("/store/")
        assert "unsafe" not in response["Content-Security-Policy"]
        content = response.content.decode()
        assert "<script>" not in content
        assert "style=" not in content


class TestChartFiles:
    @pytest.mark.parametrize(
        ("kind", "door"), [("robot", "/api/data/"), ("station", "/api/measurements/")], ids=["equipment", "sensor"]
    )
    def test_are_offered_at_the_door_of_the_asset(self, request, page, vera, erik, kind, door):
        asset = request.getfixturevalue(kind)
        client = page(erik)
        name = "sensor" if kind == "station" else "equipment"
        sent = client.post(door, {name: asset.pk, "values": {"pm2_5": 21.5}}, content_type="application/json")
        assert sent.status_code == 201, sent.content
        content = client.get(f"/assets/{asset.pk}/").content.decode()
        assert f'data-door="{door}" data-name="{name}">CSV</a>' in content
        answer = client.get(door, {name: asset.pk, "parameter": "pm2_5", "format": "csv"})
        assert answer.status_code == 200
        assert b"21.5" in b"".join(answer.streaming_content)
