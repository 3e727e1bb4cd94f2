"""Assets in Django's admin: its pages show them, and its forms write through the services."""

from __future__ import annotations

import pytest

from techtrack.assets.models import Asset, AssetState, AssetType, Parameter
from tests import factories

FORM = {"status": "active", "attributes": "{}", "tags": "[]"}


class TestPages:
    @pytest.mark.parametrize("model", ["equipment", "sensor", "assettype", "parameter"])
    @pytest.mark.usefixtures("robot", "station")
    def test_lists_and_forms_open(self, admin, model):
        for page in ("", "add/", "?q=o"):
            assert admin.get(f"/admin/assets/{model}/{page}").status_code == 200

    def test_a_list_does_not_ask_for_every_row(self, admin, plant, django_assert_max_num_queries):
        for number in range(20):
            factories.make_equipment(site=plant, type=factories.make_type(f"t{number}"))
        with django_assert_max_num_queries(12):
            assert admin.get("/admin/assets/equipment/").status_code == 200


class TestForms:
    def test_equipment_is_made_changed_and_deleted(self, admin, plant):
        assert admin.post("/admin/assets/equipment/add/", FORM | {"name": "Press"}).status_code == 302
        asset = Asset.objects.get()
        assert (asset.kind, asset.key, asset.version) == ("equipment", None, 1)
        assert AssetState.objects.filter(pk=asset.pk).exists()
        page = f"/admin/assets/equipment/{asset.pk}/change/"
        kind = factories.make_type("press")
        assert admin.post(page, FORM | {"name": "P", "site": plant.pk, "type": kind.pk}).status_code == 302
        asset.refresh_from_db()
        assert (asset.name, asset.site_id, asset.type_id, asset.version) == ("P", plant.pk, kind.pk, 2)
        assert admin.post(f"/admin/assets/equipment/{asset.pk}/delete/", {"post": "yes"}).status_code == 302
        assert not Asset.objects.exists()

    def test_an_emptied_text_of_json_returns_to_its_default(self, admin, robot):
        page = f"/admin/assets/equipment/{robot.pk}/change/"
        Asset.objects.filter(pk=robot.pk).update(tags=["a"])
        form = {"name": "Robot", "initial-tags": '["a"]', "tags": ""}
        assert admin.post(page, FORM | form).status_code == 302
        robot.refresh_from_db()
        assert robot.tags == []

    def test_what_a_service_refuses_is_told_on_the_page(self, admin, robot):
        page = f"/admin/assets/equipment/{robot.pk}/change/"
        answer = admin.post(page, FORM | {"name": "Robot", "parent": robot.pk}, follow=True)
        assert "cannot be a part of itself" in answer.content.decode()
        robot.refresh_from_db()
        assert (robot.parent_id, robot.version) == (None, 1)

    def test_a_key_of_the_other_kind_is_told_on_the_page(self, admin, robot, station):
        answer = admin.post("/admin/assets/equipment/add/", FORM | {"name": "x", "key": station.key}, follow=True)
        assert "already exists" in answer.content.decode()
        assert Asset.objects.count() == 2

    def test_types_and_parameters_are_made_and_deleted(self, admin):
        form = {"slug": "lift", "name": "Lift", "parameters": '[{"code": "load"}]'}
        assert admin.post("/admin/assets/assettype/add/", form).status_code == 302
        kind, parameter = AssetType.objects.get(), Parameter.objects.get()
        answer = admin.post(f"/admin/assets/parameter/{parameter.pk}/delete/", {"post": "yes"}, follow=True)
        assert "lists" in answer.content.decode()
        chosen = {"action": "delete_selected", "_selected_action": kind.pk, "post": "yes"}
        assert admin.post("/admin/assets/assettype/", chosen).status_code == 302
        assert not AssetType.objects.exists()
