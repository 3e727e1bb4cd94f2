"""Channels and routes in Django's admin."""

from __future__ import annotations

import json

from techtrack.notifications.models import Channel, Route
from tests import factories


class TestAdmin:
    def test_makes_changes_and_deletes_a_channel(self, admin, plant):
        form = {"name": "Shift", "kind": "email", "config": json.dumps({"to": ["a@b.example"]}), "enabled": "on"}
        assert admin.post("/admin/notifications/channel/add/", form).status_code == 302
        channel = Channel.objects.get()
        assert (channel.config, channel.site, channel.version) == ({"to": ["a@b.example"]}, None, 1)
        page = f"/admin/notifications/channel/{channel.pk}"
        assert admin.post(f"{page}/change/", {**form, "site": plant.pk}).status_code == 302
        channel.refresh_from_db()
        assert (channel.site, channel.version) == (plant, 2)
        assert admin.post(f"{page}/delete/", {"post": "yes"}).status_code == 302
        assert not Channel.objects.exists()

    def test_says_what_is_wrong_with_a_channel(self, admin):
        form = {"name": "Shift", "kind": "email", "config": "{}", "enabled": "on"}
        answer = admin.post("/admin/notifications/channel/add/", form, follow=True)
        assert "missing required field `to`" in answer.content.decode()
        assert not Channel.objects.exists()

    def test_makes_and_changes_a_route(self, admin, make_channel):
        one, two = make_channel("one"), make_channel("two")
        form = {"name": "All", "minimum_severity": "high", "tags": '["cnc"]', "channels": [one.pk], "enabled": "on"}
        assert admin.post("/admin/notifications/route/add/", form).status_code == 302
        route = Route.objects.get()
        assert (route.tags, route.channel_ids, route.version) == (["cnc"], [one.pk], 1)
        page = f"/admin/notifications/route/{route.pk}/change/"
        assert admin.post(page, {**form, "channels": [one.pk, two.pk]}).status_code == 302
        route.refresh_from_db()
        assert (route.channel_ids, route.version) == ([one.pk, two.pk], 2)

    def test_shows_deliveries_and_lets_nobody_change_them(self, admin, make_channel, make_route, make_alert, enqueue):
        make_route(make_channel("shift"))
        (delivery,) = enqueue(make_alert())
        assert delivery.subject in admin.get("/admin/notifications/delivery/").content.decode()
        assert admin.get(f"/admin/notifications/delivery/{delivery.pk}/change/").status_code == 200
        assert admin.post(f"/admin/notifications/delivery/{delivery.pk}/change/", {}).status_code == 403

    def test_tries_again_what_was_given_up(self, admin, plant):
        dead = factories.make_delivery(factories.make_channel(site=plant), site=plant, state="dead")
        form = {"action": "try_again", "_selected_action": [str(dead.pk)]}
        answer = admin.post("/admin/notifications/delivery/", form, follow=True)
        assert "1 wait to be sent again" in answer.content.decode()
        dead.refresh_from_db()
        assert dead.state == "pending"

    def test_shows_who_is_on_call(self, admin, erik, plant):
        rota = factories.make_rota(erik, site=plant)
        assert rota.name in admin.get("/admin/notifications/rota/").content.decode()
        assert admin.post(f"/admin/notifications/rota/{rota.pk}/change/", {}).status_code == 403
