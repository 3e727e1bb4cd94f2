"""A person makes an alert into work."""

from __future__ import annotations

import pytest

from techtrack.alerts.models import Suppression
from techtrack.tasks import services
from techtrack.tasks.models import Task
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert(robot, plant):
    rule = factories.make_rule(site=plant, open_task={"title": "Cool it", "description": "Clean the filter first."})
    return factories.make_alert(robot, rule=rule, title="Too hot", severity="critical")


def press(client, alert, **body):
    return client.post(f"/api/alerts/{alert.pk}/task/", body, format="json")


class TestByHand:
    def test_says_what_the_rule_and_the_alert_say(self, api, olga, alert, robot):
        answer = press(api(olga), alert)
        told = answer.json()
        assert (answer.status_code, answer["Location"].split("/api/")[1]) == (201, f"tasks/{told['id']}/")
        assert (told["title"], told["description"], told["priority"]) == ("Cool it", "Clean the filter first.", 4)
        assert (told["alert"], told["equipment"], told["owners"], told["created_by"]) == (
            alert.pk,
            robot.pk,
            [olga.pk],
            olga.pk,
        )

    def test_says_what_the_person_says(self, api, olga, erik, alert):
        body = {"title": "Look", "priority": 1, "due_date": "2026-11-25T00:00:00Z", "owners": [erik.pk]}
        told = press(api(olga), alert, **body).json()
        assert {name: told[name] for name in body} == body

    def test_of_what_people_reported_takes_its_title(self, api, olga, robot):
        assert press(api(olga), factories.make_alert(robot, title="Smells")).json()["title"] == "Robot 1: Smells"

    def test_is_one_at_a_time(self, api, olga, alert):
        told = press(api(olga), alert).json()
        again = press(api(olga), alert)
        assert (again.status_code, again.json()["code"]) == (409, "task_exists")
        assert f"task {told['id']}" in again.json()["detail"]
        api(olga).patch(f"/api/tasks/{told['id']}/", {"state": "cancelled"}, format="json")
        assert press(api(olga), alert).status_code == 201

    def test_counts_what_the_rule_has_opened(self, api, olga, alert):
        factories.make_task(None, automatic=True, alert_id=alert.pk, asset_id=alert.asset_id)
        assert press(api(olga), alert).status_code == 409

    def test_counts_what_the_rule_has_opened_for_an_alert_before(self, api, olga, robot):
        rule = factories.make_rule()
        before = factories.make_alert(robot, rule=rule, is_open=False, active=False)
        factories.make_task(None, automatic=True, alert_id=before.pk, asset_id=robot.pk)
        assert press(api(olga), factories.make_alert(robot, rule=rule)).status_code == 409

    def test_is_the_work_that_the_rule_would_open(self, api, olga, alert):
        press(api(olga), alert)
        assert services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW) is None

    def test_does_not_count_what_somebody_noted_for_the_own_self(self, api, olga, oscar, alert):
        factories.make_task(oscar, alert_id=alert.pk)
        assert press(api(olga), alert).status_code == 201

    def test_hides_the_alerts_of_the_asset_while_it_is_in_progress(self, api, olga, alert, robot):
        told = press(api(olga), alert).json()
        api(olga).patch(f"/api/tasks/{told['id']}/", {"state": "in_progress"}, format="json")
        assert list(Suppression.objects.values_list("asset", "by")) == [(robot.pk, f"task:{told['id']}")]

    def test_once_for_a_key_of_idempotency(self, api, olga, alert):
        keyed = {"Idempotency-Key": "press-1"}
        first, second = (
            api(olga).post(f"/api/alerts/{alert.pk}/task/", {}, format="json", headers=keyed) for _ in range(2)
        )
        assert (first.status_code, second.status_code, first.json()["id"]) == (201, 201, second.json()["id"])
        assert Task.objects.count() == 1

    def test_needs_an_operator(self, api, vera, mallory, alert):
        assert press(api(vera), alert).status_code == 403
        assert press(api(mallory), alert).status_code == 404
        assert not Task.objects.exists()

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"owners": [999_999]}, "/owners/0", id="no such person"),
            pytest.param({"priority": 9}, "/priority", id="no such priority"),
            pytest.param({"due_date": "soon"}, "/due_date", id="no time"),
            pytest.param({"state": "done"}, "/state", id="an unknown member"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, api, olga, alert, body, pointer):
        answer = press(api(olga), alert, **body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
