"""Entries of the audit log: what is written, by whom, and what is left out."""

from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, transaction

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import internal
from techtrack.accounts.models import AuditEntry, AuditWord, Session, User
from techtrack.accounts.queries import access_of
from techtrack.accounts.services.audit_reading import told, told_of_person
from techtrack.alerts.models import AlertEvent
from techtrack.assets import services as assets
from techtrack.assets.models import Asset
from techtrack.core import acting
from techtrack.core.acting import Actor
from techtrack.core.auditing import HIDDEN
from techtrack.core.errors import NotFound, Stale
from tests import factories
from tests.factories import NOW, PASSWORD


def entries(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def newest() -> AuditEntry:
    return AuditEntry.objects.latest("pk")


def read(entry: AuditEntry) -> tuple[dict, dict]:
    return json.loads(entry.before), json.loads(entry.after)


class TestPatchOfAnAsset:
    def test_tells_who_what_whence_before_and_after(self, api, erik, robot):
        answer = api(erik).patch(
            f"/api/equipment/{robot.pk}/",
            {"name": "Robot 2"},
            format="json",
            headers={"X-Request-ID": "abc-1", "User-Agent": "tests\x7f/1"},
            REMOTE_ADDR="10.1.2.3",
        )
        assert answer.status_code == 200, answer.content
        entry = newest()
        assert (entry.actor, entry.via, entry.address, entry.agent) == (f"user:{erik.pk}", "api", "10.1.2.3", "tests/1")
        assert (entry.action, entry.object_type, entry.object_id) == ("asset.changed", "asset", str(robot.pk))
        assert (entry.request_id, entry.site_id) == ("abc-1", robot.site_id)
        assert read(entry) == ({"name": "Robot 1"}, {"name": "Robot 2"})

    def test_that_changes_nothing_is_no_news(self, api, erik, robot):
        count = AuditEntry.objects.count()
        assert api(erik).patch(f"/api/equipment/{robot.pk}/", {"name": "Robot 1"}, format="json").status_code == 200
        assert AuditEntry.objects.count() == count

    def test_by_a_key_is_told_of_the_key(self, client, erik, plant, robot):
        key, text = accounts.create_key(
            by=access_of(erik), name="k", scope="write", site=plant, asset_id=None, expires_at=None,
            allowed_addresses=[], now=NOW,
        )  # fmt: skip
        answer = client.patch(
            f"/api/equipment/{robot.pk}/", {"model": "M"}, content_type="application/json", headers={"X-API-Key": text}
        )
        assert answer.status_code == 200, answer.content
        assert newest().actor == f"key:{key.pk}"
        assert text not in str(AuditEntry.objects.values_list())


class TestVersionedRow:
    def test_that_is_created_tells_what_it_holds(self, db, plant):
        asset = factories.make_equipment("Pump", site=plant, tags=["a"])
        entry = entries("asset.created")[-1]
        before, after = read(entry)
        assert (before, entry.object_id, entry.actor) == ({}, str(asset.pk), "system")
        assert (after["name"], after["tags"], after["site"]) == ("Pump", ["a"], plant.pk)
        assert not {"version", "created_at", "description"} & after.keys()

    def test_that_is_removed_tells_what_it_held(self, robot):
        assets.delete_asset(asset=robot, by=internal(), confirm=None, expected=None)
        entry = entries("asset.removed")[-1]
        assert read(entry)[0]["key"] == "robot-1"
        assert read(entry)[1] == {}

    def test_that_goes_along_with_another_is_told_too(self, adam, plant):
        key = factories.make_key(adam, site=plant)
        accounts.delete_site(site=plant, by=internal(), expected=None, now=NOW)
        assert [entry.object_id for entry in entries("api-key.removed")] == [str(key.pk)]
        assert [entry.object_id for entry in entries("site.removed")] == [str(plant.pk)]

    def test_that_goes_in_a_queryset_is_told_too(self, adam, robot):
        factories.make_key(adam, asset_id=robot.pk)
        factories.make_key(adam, asset_id=robot.pk)
        accounts.revoke_keys_of_asset(asset_id=robot.pk)
        assert len(entries("api-key.removed")) == 2

    def test_was_what_it_was_in_the_database_whatever_the_editor_had_read(self, robot):
        stale = Asset.objects.get(pk=robot.pk)
        robot.change(expected=None, now=NOW, name="Meanwhile")
        stale.change(expected=None, now=NOW, name="At last")
        assert read(newest()) == ({"name": "Meanwhile"}, {"name": "At last"})

    def test_that_was_read_earlier_than_the_version_demanded_tells_the_truth(self, robot):
        stale = Asset.objects.get(pk=robot.pk)
        robot.change(expected=None, now=NOW, name="Meanwhile")
        stale.change(expected=2, now=NOW, name="At last")
        assert read(newest()) == ({"name": "Meanwhile"}, {"name": "At last"})

    def test_whose_version_is_not_the_one_demanded_tells_nothing(self, robot):
        count = AuditEntry.objects.count()
        with pytest.raises(Stale):
            robot.change(expected=7, now=NOW, name="x")
        gone = Asset.objects.get(pk=robot.pk)
        robot.remove(expected=None)
        with pytest.raises(NotFound):
            gone.change(expected=None, now=NOW, name="x")
        assert AuditEntry.objects.count() == count + 1

    def test_that_is_rolled_back_leaves_no_entry(self, robot):
        count = AuditEntry.objects.count()
        with transaction.atomic():
            robot.change(expected=None, now=NOW, name="x")
            transaction.set_rollback(True)
        with pytest.raises(IntegrityError), transaction.atomic():
            factories.make_equipment("twin", key="robot-1")
        assert AuditEntry.objects.count() == count

    def test_that_is_saved_again_tells_what_differs(self, robot):
        robot.model = "M"
        robot.save()
        assert read(newest()) == ({"model": ""}, {"model": "M"})
        robot.model = "N"
        robot.save(update_fields=["model"])
        assert read(newest()) == ({"model": "M"}, {"model": "N"})

    def test_of_a_job_is_told_of_the_job(self, robot):
        with acting.acting(lambda: Actor(via="job: hider")):
            robot.change(expected=None, now=NOW, name="x")
        assert (newest().actor, newest().via) == ("system", "job: hider")

    def test_keeps_a_long_text_within_bounds(self, robot):
        robot.change(expected=None, now=NOW, description="x" * 9000)
        assert len(newest().after) < 4100


class TestPrivateWords:
    def test_secrets_are_hidden(self, db):
        olga = factories.make_user("olga-y")
        before = User.objects.get(pk=olga.pk).password
        accounts.set_password(user=olga, password="another good one", now=NOW)
        told_text = str(list(AuditEntry.objects.values_list()))
        assert before not in told_text
        assert User.objects.get(pk=olga.pk).password not in told_text
        assert read(entries("user.changed")[-1]) == ({"password": HIDDEN}, {"password": HIDDEN})

    def test_the_settings_of_a_channel_and_what_tasks_say_are_hidden(self, olga):
        factories.make_channel(config={"to": ["secret@example.org"]})
        factories.make_task(olga, title="private matter")
        told_text = str(list(AuditEntry.objects.values_list()))
        assert "secret@example.org" not in told_text
        assert "private matter" not in told_text

    def test_names_stand_beside_the_log_and_are_shown(self, db):
        tom = factories.make_user("tom-y", first_name="Tom")
        entry = entries("user.created")[-1]
        assert "tom-y" not in entry.after
        assert told([entry])[0]["after"]["username"] == "tom-y"
        assert set(AuditWord.objects.filter(person_id=tom.pk).values_list("value", flat=True)) >= {"tom-y", "Tom"}

    def test_names_go_with_the_person_and_the_entry_stays(self, adam, olga):
        name, email = olga.username, olga.email
        accounts.update_user(user=olga, by=access_of(adam), changes={"first_name": "Ol"}, expected=None, now=NOW)
        entry = entries("user.changed")[-1]
        accounts.delete_user(user=olga, by=access_of(adam), expected=None, now=NOW)
        assert not AuditWord.objects.filter(person_id=entry.person_id).exists()
        assert told([entry])[0]["after"] == {"first_name": "(erased)"}
        everything = str([list(model.objects.values_list()) for model in (AuditEntry, AuditWord)])
        assert name not in everything.replace("olga-", "")
        assert email not in everything
        assert read(entries("user.removed")[-1])[0]["username"] == HIDDEN

    def test_a_person_gets_what_the_log_tells_of_own_deeds(self, api, erik, robot):
        api(erik).patch(f"/api/equipment/{robot.pk}/", {"name": "x"}, format="json")
        assert [one["action"] for one in told_of_person(erik.pk)] == ["asset.changed"]


class TestSecurity:
    def test_logging_in_is_told_of_the_person_and_failing_of_nobody(self, client, olga):
        body = {"username": olga.username, "password": PASSWORD}
        assert client.post("/api/token/", body, content_type="application/json").status_code == 200
        wrong = client.post("/api/token/", body | {"password": "tricky guess"}, content_type="application/json")
        assert wrong.status_code == 401
        (good,), (bad,) = entries("login.succeeded"), entries("login.failed")
        assert (good.actor, good.object_id) == (f"user:{olga.pk}", str(olga.pk))
        assert (bad.actor, bad.object_id, bad.address) == ("anonymous", str(olga.pk), "127.0.0.1")

    def test_what_was_typed_is_told_nowhere(self, client, db):
        client.post("/api/token/", {"username": "hunter2-typed", "password": "p"}, content_type="application/json")
        assert entries("login.failed")
        assert "hunter2-typed" not in str(list(AuditEntry.objects.values_list()))

    def test_roles_are_told_before_and_after(self, api, adam, olga, plant):
        body = {"roles": [{"site": plant.pk, "role": "engineer"}]}
        assert api(adam).patch(f"/api/users/{olga.pk}/", body, format="json").status_code == 200
        (entry,) = entries("user.roles") or entries("roles.changed")
        assert (entry.actor, entry.object_id) == (f"user:{adam.pk}", str(olga.pk))
        assert "operator" in entry.after
        assert "engineer" in entry.after

    def test_a_refused_write_is_told_and_a_refused_look_is_not(
        self, api, vera, robot, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            assert api(vera).patch(f"/api/equipment/{robot.pk}/", {"name": "x"}, format="json").status_code == 403
            assert api(vera).get("/api/audit/").status_code == 403
        (entry,) = entries("write.denied")
        assert entry.actor == f"user:{vera.pk}"
        assert json.loads(entry.after)["path"] == f"/api/equipment/{robot.pk}/"

    def test_refused_readings_are_not_told(self, api, vera, robot, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            body = {"equipment": robot.pk, "values": {"a": 1}}
            assert api(vera).post("/api/data/", body, format="json").status_code == 403
        assert entries("write.denied") == []


class TestOtherDoors:
    def test_the_pages_of_the_admin_are_told_as_such(self, admin, adam, plant):
        page = f"/admin/accounts/site/{plant.pk}/change/"
        form = {"name": "Plant 2", "timezone": "Europe/Berlin", "latitude": "", "longitude": "", "address": ""}
        answer = admin.post(page, form)
        assert answer.status_code == 302, answer.content
        entry = entries("site.changed")[-1]
        assert (entry.actor, entry.via, entry.session) == (
            f"user:{adam.pk}",
            "admin",
            str(Session.objects.get(user=adam).pk),
        )
        assert read(entry) == ({"name": "Plant"}, {"name": "Plant 2"})

    def test_channels_of_a_route_are_told(self, api, erik, plant):
        mail = factories.make_channel(site=plant)
        body = {"name": "R", "site": plant.pk, "channels": [mail.pk]}
        made = api(erik).post("/api/routes/", body, format="json")
        assert made.status_code == 201, made.content
        assert read(entries("route.changed")[-1]) == ({"channels": []}, {"channels": [mail.pk]})

    def test_alerts_tell_their_own_story_but_not_when_one_is_deleted(self, robot):
        alert = factories.make_alert(robot)
        AlertEvent.objects.create(alert=alert, at=NOW, recorded_at=NOW, kind="raised")
        assert entries("alert.created") == []
        alert.remove(expected=None)
        assert entries("alert.removed")[-1].site_id == robot.site_id

    def test_readings_are_never_told(self, api, olga, robot):
        robot.type.change(expected=None, now=NOW, strict=False)
        count = AuditEntry.objects.exclude(action="asset-type.changed").count()
        body = {"equipment": robot.pk, "timestamp": "2026-11-21T10:00:00Z", "values": {"temperature": 1}}
        assert api(olga).post("/api/data/", body, format="json").status_code == 201
        assert AuditEntry.objects.exclude(action="asset-type.changed").count() == count
