"""Conditional requests: the same is not sent again, what changed always is, and nobody gets another's copy."""

from __future__ import annotations

import pytest

from techtrack.assets import services as assets
from techtrack.assets.api.viewsets import EquipmentViewSet
from techtrack.assets.models import Equipment
from tests import factories


class TestEntityTag:
    @pytest.mark.parametrize("path", ["/api/equipment/", "/api/equipment/{}/", "/api/parameters/", "/api/sites/"])
    def test_named_again_is_a_304_without_a_body(self, api, erik, robot, path):
        first = api(erik).get(path.format(robot.pk))
        again = api(erik).get(path.format(robot.pk), headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert first["Cache-Control"] == again["Cache-Control"] == "private, no-cache"
        assert "Content-Type" not in again

    def test_of_an_item_changes_with_what_has_no_version(self, api, erik, robot):
        path = f"/api/equipment/{robot.pk}/"
        first = api(erik).get(path)
        assert first["ETag"].startswith('"1-')
        assets.set_health(asset_id=robot.pk, worst="high")
        again = api(erik).get(path, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.json()["health"] == first.json()["health"]) == (200, False)

    def test_that_was_read_is_good_for_a_write_until_the_next_version(self, api, erik, robot):
        path = f"/api/equipment/{robot.pk}/"
        seen = api(erik).get(path)["ETag"]
        assets.set_health(asset_id=robot.pk, worst="high")
        for status in (200, 412):
            answer = api(erik).patch(path, {"name": "New"}, format="json", headers={"If-Match": seen})
            assert answer.status_code == status

    def test_of_a_write_is_that_of_what_it_wrote_whoever_writes_next(self, api, erik, robot, monkeypatch):
        """Between the write and its answer somebody else was faster than the answer."""
        read = EquipmentViewSet.row

        def after_another(view, pk):
            Equipment.objects.filter(pk=pk, name="New").update(name="Newest", version=3)
            return read(view, pk)

        monkeypatch.setattr(EquipmentViewSet, "row", after_another)
        answer = api(erik).patch(f"/api/equipment/{robot.pk}/", {"name": "New"}, format="json")
        assert (answer["ETag"], answer.json()["version"], answer.json()["name"]) == ('"2"', 2, "New")

    def test_of_a_list_changes_with_its_rows(self, api, erik, plant, robot):
        first = api(erik).get("/api/equipment/")
        assert first["ETag"].startswith('W/"')
        factories.make_equipment(site=plant)
        assert api(erik).get("/api/equipment/", headers={"If-None-Match": first["ETag"]}).status_code == 200

    def test_that_one_caller_got_tells_another_nothing(self, api, erik, mallory, robot):
        path = f"/api/equipment/{robot.pk}/"
        seen = api(erik).get(path)
        assert api(mallory).get(path, headers={"If-None-Match": seen["ETag"]}).status_code == 404
        assert {"Authorization", "Cookie", "X-API-Key", "Accept"} <= {word.strip() for word in seen["Vary"].split(",")}

    def test_any_is_named_by_a_star(self, api, erik, robot):
        answer = api(erik).get(f"/api/equipment/{robot.pk}/", headers={"If-None-Match": "*"})
        assert answer.status_code == 304

    def test_is_not_given_to_what_must_not_be_kept(self, api, adam):
        answer = api(adam).post("/api/live/ticket/")
        assert (answer["Cache-Control"], answer.has_header("ETag")) == ("no-store", False)

    def test_of_an_error_is_none(self, api, erik):
        answer = api(erik).get("/api/equipment/999/", headers={"If-None-Match": "*"})
        assert (answer.status_code, answer.has_header("ETag")) == (404, False)
