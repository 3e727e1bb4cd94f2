"""Pages as people with and without roles get them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from techtrack.accounts.queries import access_of
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.alerts.services import acknowledge_alert
from techtrack.assets.models import AssetState, Parameter
from techtrack.core import clock
from techtrack.tasks.models import Task
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.services import ingest
from techtrack.web.templatetags import web as web_tags
from tests import factories


@pytest.fixture
def alert(robot):
    """An open alert on the robot: temperature 91.25 over a limit of 90."""
    return Alert.objects.create(
        asset_id=robot.pk,
        parameter="temperature",
        severity="high",
        title="Too hot",
        value=91.25,
        limit=90.0,
        raised_at=factories.NOW,
        **factories.STAMPS,
    )


def send(asset, by, at=None, **values):
    """Store one reading of an asset."""
    batch = Batch.of([Row(asset.pk, clock.to_micros(at or clock.now()), values)])
    ingest(batch=batch, by=access_of(by), now=clock.now(), origin=Origin.LIVE)


def text(response):
    """The page's words, without tags, blanks made one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


class TestOverview:
    def test_sends_strangers_to_the_login(self, db):
        response = Client().get("/")
        assert response.status_code == 302
        assert response.url == "/login/?next=/"

    def test_shows_a_viewer_assets_newest_values_and_alerts(self, page, vera, erik, robot, alert):
        Parameter.objects.create(code="temperature", name="Temperature", unit="Cel", **factories.STAMPS)
        send(robot, erik, temperature=71.3)
        response = page(vera).get("/")
        shown = text(response)
        assert "Robot 1" in shown
        assert "Temperature 71.30 °C" in shown
        assert "Too hot" in shown
        assert "91.25 °C, limit 90.00" in shown

    def test_offers_a_viewer_no_acknowledge_button(self, page, vera, olga, alert):
        assert b"data-acknowledge" not in page(vera).get("/").content
        assert b"data-acknowledge" in page(olga).get("/").content

    def test_subscribes_to_the_sites_it_shows(self, page, vera, robot, plant):
        assert 'data-topics="alerts readings"' in page(vera).get("/").content.decode()

    def test_shows_nothing_to_an_outsider_and_says_what_to_do(self, page, mallory, robot, alert):
        response = page(mallory).get("/")
        shown = text(response)
        assert "Robot 1" not in shown
        assert "Too hot" not in shown
        assert "No site is open to you yet" in shown

    def test_says_what_to_do_where_nothing_is_monitored(self, page, adam):
        assert "Nothing is monitored yet" in text(page(adam).get("/"))

    def test_greys_out_what_has_fallen_silent_and_says_since_when(self, page, vera, erik, robot):
        send(robot, erik, at=factories.NOW, temperature=71.3)
        response = page(vera).get("/")
        assert 'class="card silent"' in response.content.decode()
        assert "Silent for" in text(response)

    def test_says_that_data_are_replayed_or_simulated(self, page, vera, robot):
        type(robot).objects.filter(pk=robot.pk).update(attributes={"replayed": "replayed, measured 2004"})
        assert "replayed, measured 2004" in text(page(vera).get("/"))

    def test_shows_an_asset_without_a_state_row(self, page, vera, robot):
        AssetState.objects.all().delete()
        assert "Not judged" in text(page(vera).get("/"))

    def test_escapes_names(self, page, vera, plant):
        factories.make_equipment("<script>alert(1)</script>", site=plant)
        assert b"<script>alert" not in page(vera).get("/").content

    def test_asks_the_database_as_often_for_many_assets_as_for_one(
        self, page, vera, erik, plant, robot, alert, django_assert_max_num_queries
    ):
        for number in range(20):
            asset = factories.make_equipment(f"Machine {number}", site=plant)
            send(asset, erik, temperature=float(number))
        browser = page(vera)
        with django_assert_max_num_queries(12):
            browser.get("/")


class TestWhatIsPutAside:
    @pytest.mark.parametrize(
        ("facts", "told"),
        [
            pytest.param({"shelved_until": factories.NOW, "shelve_reason": "new seal"}, "Shelved until", id="shelved"),
            pytest.param({"out_of_service_until": factories.NOW}, "Out of service until", id="out of service"),
            pytest.param({"suppressed_by": "task:4"}, "Hidden by work on the asset", id="work"),
            pytest.param({"suppressed_by": "flood"}, "Hidden by a flood of alerts", id="flood"),
        ],
    )
    def test_says_why_and_asks_nobody(self, page, olga, alert, facts, told):
        Alert.objects.filter(pk=alert.pk).update(**facts)
        response = page(olga).get("/")
        assert told in text(response)
        assert b'data-waiting="0"' in response.content
        assert b"data-acknowledge" not in response.content

    def test_names_the_window_that_hides(self, page, vera, alert):
        silence = factories.make_silence(name="Gearbox is repaired")
        Alert.objects.filter(pk=alert.pk).update(suppressed_by=f"silence:{silence.pk}")
        assert "Hidden by the silence “Gearbox is repaired”" in text(page(vera).get(f"/alerts/{alert.pk}/"))

    def test_tells_all_times_in_the_reader_s_zone(self, page, vera, alert):
        type(vera).objects.filter(pk=vera.pk).update(time_zone="Asia/Tokyo")
        Alert.objects.filter(pk=alert.pk).update(rule=factories.make_rule(), condition="above")
        assert "since 2026-11-21 19:00 JST" in text(page(vera).get(f"/alerts/{alert.pk}/"))

    def test_names_nothing_of_other_sites(self, page, vera, alert, other_site):
        above = factories.make_alert(factories.make_equipment(site=other_site), title="Secret gateway")
        Alert.objects.filter(pk=alert.pk).update(suppressed_by=f"alert:{above.pk}")
        shown = text(page(vera).get(f"/alerts/{alert.pk}/"))
        assert "Hidden by an alert of something above it" in shown
        assert "Secret" not in shown

    def test_comes_after_what_asks_for_somebody(self, page, vera, robot, alert):
        later = factories.NOW + timedelta(hours=1)
        Alert.objects.create(
            asset_id=robot.pk,
            severity="low",
            title="Put aside",
            shelved_until=later,
            raised_at=later,
            **factories.STAMPS,
        )
        shown = text(page(vera).get("/"))
        assert shown.index("Too hot") < shown.index("Put aside")

    def test_a_latched_one_says_what_it_waits_for(self, page, vera, alert):
        Alert.objects.filter(pk=alert.pk).update(active=False, latched=True)
        assert "waits for a reset" in text(page(vera).get("/"))

    def test_shows_no_rate_as_if_it_were_a_value(self, page, vera, alert):
        Alert.objects.filter(pk=alert.pk).update(condition="rate_of_change")
        assert "91.25" not in text(page(vera).get(f"/alerts/{alert.pk}/"))


class TestAssetPage:
    def test_shows_details_alerts_and_tasks(self, page, vera, robot, alert):
        Task.objects.create(title="Look after the robot", asset_id=robot.pk, **factories.STAMPS)
        shown = text(page(vera).get(f"/assets/{robot.pk}/"))
        assert "robot-1" in shown
        assert "Too hot" in shown
        assert "Look after the robot" in shown

    def test_offers_the_parameters_that_came(self, page, vera, erik, robot):
        send(robot, erik, speed=1480.0)
        content = page(vera).get(f"/assets/{robot.pk}/").content.decode()
        assert '<option value="speed"' in content

    def test_hands_the_chart_the_limits_of_open_alerts(self, page, vera, erik, robot, alert):
        send(robot, erik, temperature=91.0)
        content = page(vera).get(f"/assets/{robot.pk}/").content.decode()
        limits = re.search(r'data-limits="([^"]*)"', content)[1].replace("&quot;", '"')
        assert json.loads(limits) == {"temperature": 90.0}

    @pytest.mark.parametrize("number", [0, 2**63, 10**40], ids=["zero", "too large for the column", "absurd"])
    def test_is_not_there_for_numbers_that_no_asset_has(self, page, vera, number):
        assert page(vera).get(f"/assets/{number}/").status_code == 404

    def test_of_another_site_looks_absent(self, page, vera, other_site):
        asset = factories.make_equipment("Secret", site=other_site)
        response = page(vera).get(f"/assets/{asset.pk}/")
        assert response.status_code == 404
        assert b"Secret" not in response.content
        assert page(vera).get(f"/parts/assets/{asset.pk}/alerts/").status_code == 200


class TestAlertPage:
    def test_tells_what_where_when_and_what_happened(self, page, vera, alert):
        AlertEvent.objects.create(alert=alert, at=factories.NOW, recorded_at=factories.NOW, kind="raised")
        shown = text(page(vera).get(f"/alerts/{alert.pk}/"))
        for words in ("Too hot", "Robot 1", "91.25", "90.00", "Raised", "nobody has taken it yet"):
            assert words in shown

    def test_writes_times_in_the_readers_zone(self, page, vera, alert):
        type(vera).objects.filter(pk=vera.pk).update(time_zone="Asia/Tokyo")
        assert "21 Nov 2026, 19:00:00" in text(page(vera).get(f"/alerts/{alert.pk}/"))

    def test_survives_a_zone_that_this_machine_does_not_know(self, page, vera, alert):
        type(vera).objects.filter(pk=vera.pk).update(time_zone="Mars/Olympus")
        assert "21 Nov 2026, 10:00:00" in text(page(vera).get(f"/alerts/{alert.pk}/"))

    def test_of_another_site_looks_absent(self, page, mallory, alert):
        assert page(mallory).get(f"/alerts/{alert.pk}/").status_code == 404


class TestAcknowledging:
    def test_by_the_form_takes_the_alert(self, page, olga, alert):
        response = page(olga).post(f"/alerts/{alert.pk}/acknowledge/", follow=True)
        assert "acknowledged by olga" in text(response)
        alert.refresh_from_db()
        assert alert.acknowledged_by == olga

    def test_a_second_time_says_who_was_faster(self, page, olga, erik, alert):
        acknowledge_alert(alert=alert, by=access_of(erik), comment="", now=factories.NOW)
        response = page(olga).post(f"/alerts/{alert.pk}/acknowledge/", follow=True)
        assert "already acknowledged by erik" in text(response)

    def test_is_not_for_viewers(self, page, vera, alert):
        assert page(vera).post(f"/alerts/{alert.pk}/acknowledge/").status_code == 403
        alert.refresh_from_db()
        assert alert.acknowledged_at is None

    def test_needs_a_post_with_the_token(self, olga, alert):
        client = Client(enforce_csrf_checks=True)
        client.force_login(olga)
        assert client.get(f"/alerts/{alert.pk}/acknowledge/").status_code == 405
        assert client.post(f"/alerts/{alert.pk}/acknowledge/").status_code == 403

    def test_of_another_sites_alert_finds_nothing(self, page, mallory, alert):
        assert page(mallory).post(f"/alerts/{alert.pk}/acknowledge/").status_code == 404


class TestTasks:
    def test_are_listed_and_done_by_a_button(self, page, olga, robot):
        task = Task.objects.create(title="Grease it", asset_id=robot.pk, **factories.STAMPS)
        assert "Grease it" in text(page(olga).get("/tasks/"))
        response = page(olga).post(f"/tasks/{task.pk}/done/", follow=True)
        assert "Done: Grease it" in text(response)
        task.refresh_from_db()
        assert (task.state, task.completed_at is None) == ("done", False)

    def test_have_no_button_for_viewers(self, page, vera, robot):
        task = Task.objects.create(title="Grease it", asset_id=robot.pk, **factories.STAMPS)
        assert f"/tasks/{task.pk}/done/" not in page(vera).get("/tasks/").content.decode()
        assert page(vera).post(f"/tasks/{task.pk}/done/").status_code == 403

    def test_of_others_are_not_there(self, page, mallory, olga):
        task = Task.objects.create(title="Private", created_by=olga, **factories.STAMPS)
        assert "Nothing to do" in text(page(mallory).get("/tasks/"))
        assert page(mallory).post(f"/tasks/{task.pk}/done/").status_code == 404


class TestSafety:
    @pytest.mark.parametrize("path", ["/login/", "/no/such/page/", "/admin/login/"])
    def test_every_page_forbids_what_is_not_ours(self, db, path):
        policy = Client().get(path)["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy

    def test_nothing_is_kept_by_caches(self, page, vera):
        assert "no-store" in page(vera).get("/")["Cache-Control"]

    def test_no_page_has_scripts_or_styles_of_its_own(self, page, adam, erik, robot, alert):
        send(robot, erik, temperature=91.0)
        paths = ["/", "/tasks/", f"/assets/{robot.pk}/", f"/alerts/{alert.pk}/"]
        contents = [page(adam).get(path).content.decode() for path in paths] + [
            Client().get("/login/").content.decode()
        ]
        for content in contents:
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", content)
            assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", content))
            assert not re.search(r'(?:src|href|action)="(?:https?:)?//', content)

    def test_the_demos_banner_is_there_in_the_demo_alone(self, page, vera, settings):
        settings.DEMO = False
        assert "/demo/" not in page(vera).get("/").content.decode()
        settings.DEMO = True
        assert "/demo/inbox/" in page(vera).get("/").content.decode()


class TestRoutes:
    def test_have_the_names_that_others_link_to(self):
        assert reverse("overview") == "/"
        assert reverse("asset", kwargs={"asset_id": 7}) == "/assets/7/"
        assert reverse("alert", kwargs={"alert_id": 7}) == "/alerts/7/"
        assert reverse("setup", kwargs={"secret": "abc"}) == "/setup/abc/"


class TestIcons:
    def test_of_every_template_are_in_the_sprite(self):
        web = Path(web_tags.__file__).parents[1]
        sprite = (web / "static" / web_tags.SPRITE).read_text()
        asked = set(web_tags.SEVERITY_ICONS.values())
        for template in web.parent.glob("*/templates/**/*.html"):
            asked |= set(re.findall(r'{% icon "([a-z-]+)"', template.read_text()))
        assert asked == set(re.findall(r'<symbol id="([a-z-]+)"', sprite))
