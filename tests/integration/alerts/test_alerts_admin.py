"""Rules and alerts in Django's admin."""

from __future__ import annotations

import pytest

from techtrack.accounts.domain.access import Role
from techtrack.alerts.models import Alert, Rule
from tests import factories

ABOVE = {"kind": "above", "limit": 90.0, "severity": "critical"}


@pytest.fixture
def rule(plant):
    return Rule.objects.create(name="Heat", site=plant, parameter="t", conditions=[ABOVE], **factories.STAMPS)


@pytest.fixture
def pages(client, db):
    root = factories.make_user("root", role=Role.ADMIN, is_staff=True, is_superuser=True)
    client.force_login(root)
    return client


class TestRules:
    def test_are_changed_by_the_service(self, pages, rule):
        url = f"/admin/alerts/rule/{rule.pk}/change/"
        assert pages.get(url).status_code == 200
        form = {"name": "Heat", "conditions": '[{"kind": "above", "limit": 80}]'}
        assert pages.post(url, form).status_code == 302
        rule.refresh_from_db()
        assert rule.conditions == [{"kind": "above", "limit": 80.0, "severity": "medium"}]
        assert (rule.enabled, rule.version) == (False, 2)

    def test_say_what_is_wrong_with_them(self, pages, rule):
        form = {"name": "Heat", "conditions": '[{"kind": "sideways"}]'}
        answer = pages.post(f"/admin/alerts/rule/{rule.pk}/change/", form, follow=True)
        assert "not a known condition" in answer.content.decode()
        rule.refresh_from_db()
        assert rule.version == 1

    def test_are_deleted_by_the_service(self, pages, rule):
        assert pages.post(f"/admin/alerts/rule/{rule.pk}/delete/", {"post": "yes"}).status_code == 302
        assert not Rule.objects.exists()


class TestAlerts:
    def test_are_shown_and_not_written(self, pages, robot):
        alert = Alert.objects.create(
            asset_id=robot.pk, severity="high", title="Hot", raised_at=factories.NOW, **factories.STAMPS
        )
        assert "Hot" in pages.get("/admin/alerts/alert/").content.decode()
        url = f"/admin/alerts/alert/{alert.pk}/change/"
        assert pages.get(url).status_code == 200
        assert pages.post(url, {"title": "Cold"}).status_code == 403
