"""What people say about tasks: who may, who is told, and what becomes of it."""

from __future__ import annotations

import pytest

from techtrack.accounts.models import User
from techtrack.core import clock
from techtrack.live.models import LiveEvent
from techtrack.notifications import jobs
from techtrack.notifications.models import LETTER, Delivery
from techtrack.notifications.services import claim_next
from techtrack.tasks.models import Comment, Mention
from tests import factories
from tests.factories import make_task


def url(task, comment=None):
    return f"/api/tasks/{task.pk}/comments/" + (f"{comment}/" if comment else "")


@pytest.fixture
def say(api):
    """``say(olga, task, "Done.")``: the answer to a comment."""
    return lambda who, task, text, **more: api(who).post(url(task), {"text": text}, format="json", **more)


def news(kind):
    return [event for event in LiveEvent.objects.order_by("sequence") if event.payload["type"] == kind]


def letters_to(user):
    return Delivery.objects.filter(event=LETTER, person=user).count()


def sent(mailoutbox):
    """Send what waits, and return (to, subject, text) of each."""
    while (delivery := Delivery.objects.filter(event=LETTER, state="pending").first()) is not None:
        assert jobs.send(claim_next(channel_id=delivery.channel_id, now=clock.now()))
    return [(one.to, one.subject, one.body) for one in mailoutbox]


class TestComment:
    def test_is_said_read_changed_and_deleted(self, api, olga, vera, robot, say):
        task = make_task(olga, asset_id=robot.pk)
        made = say(olga, task, "The belt is **worn**.")
        assert (made.status_code, made["ETag"]) == (201, '"1"')
        number = made.json()["id"]
        assert made["Location"].endswith(url(task, number))
        assert made.json()["author"] == olga.pk
        assert api(vera).get(url(task)).json()["results"][0]["text"] == "The belt is **worn**."
        changed = api(olga).patch(url(task, number), {"text": "Torn."}, format="json", HTTP_IF_MATCH='"1"')
        assert (changed.status_code, changed.json()["text"], changed.json()["version"]) == (200, "Torn.", 2)
        stale = api(olga).put(url(task, number), {"text": "Late"}, format="json", HTTP_IF_MATCH='"1"')
        assert (stale.status_code, stale.json()["current"]["text"]) == (412, "Torn.")
        assert api(olga).delete(url(task, number)).status_code == 204
        assert api(vera).get(url(task)).json()["count"] == 0

    def test_is_changed_by_who_may_still_comment(self, api, olga, vera, say):
        task = make_task(olga)
        share = task.share_rows.create(user=vera, level="comment")
        number = say(vera, task, "Torn.").json()["id"]
        task.share_rows.filter(pk=share.pk).update(level="read")
        assert api(vera).patch(url(task, number), {"text": "Torn, @olga."}, format="json").status_code == 403
        assert Comment.objects.get().text == "Torn."
        assert not Mention.objects.exists()
        assert api(vera).delete(url(task, number)).status_code == 204

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            pytest.param("", "blank", id="nothing"),
            pytest.param(" \n", "blank", id="nothing to be seen"),
            pytest.param("x" * 10_001, "max_length", id="a book"),
            pytest.param(" ".join(f"@person{number}" for number in range(51)), "too_many_mentions", id="a crowd"),
        ],
    )
    def test_that_is_none_is_refused_at_its_place(self, olga, say, text, code):
        answer = say(olga, make_task(olga), text)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/text")
        assert answer.json()["errors"][0]["code"] == code
        assert not Comment.objects.exists()

    def test_of_a_deleted_task_is_gone_with_it(self, api, olga, say):
        task = make_task(olga)
        number = say(olga, task, "x").json()["id"]
        api(olga).delete(f"/api/tasks/{task.pk}/")
        assert api(olga).get(url(task, number)).status_code == 404
        assert say(olga, task, "y").status_code == 404
        api(olga).post(f"/api/tasks/{task.pk}/restore/")
        assert api(olga).get(url(task, number)).status_code == 200

    def test_is_of_its_task_alone(self, api, olga, say):
        one, other = make_task(olga), make_task(olga)
        number = say(olga, one, "x").json()["id"]
        assert api(olga).get(url(other, number)).status_code == 404
        assert api(olga).delete(url(other, number)).status_code == 404
        # A statement that was made for one task must not find what is of another.
        assert api(olga).get(url(one, number)).status_code == 200

    def test_stays_when_its_author_goes(self, api, olga, erik, robot, say):
        task = make_task(erik, asset_id=robot.pk)
        say(olga, task, "Mind the gap.")
        User.objects.get(pk=olga.pk).delete()
        told = api(erik).get(url(task)).json()["results"][0]
        assert (told["author"], told["text"]) == (None, "Mind the gap.")


class TestWhoMaySpeak:
    @pytest.mark.parametrize(
        ("level", "status"),
        [
            pytest.param("read", 403, id="who may read"),
            pytest.param("comment", 201, id="who may comment"),
            pytest.param("write", 201, id="who may write"),
        ],
    )
    def test_of_those_it_is_shared_with(self, mallory, olga, say, level, status):
        task = make_task(olga)
        task.share_rows.create(user=mallory, level=level)
        assert say(mallory, task, "x").status_code == status

    def test_operators_of_the_site_may_and_viewers_may_not(self, olga, vera, erik, oscar, robot, say):
        task = make_task(erik, asset_id=robot.pk)
        found = [say(who, task, "x").status_code for who in (olga, erik, vera, oscar)]
        assert found == [201, 201, 403, 404]

    def test_others_may_not_change_it_whoever_they_are(self, api, olga, adam, erik, robot, say):
        task = make_task(erik, asset_id=robot.pk)
        number = say(olga, task, "x").json()["id"]
        assert api(adam).patch(url(task, number), {"text": "y"}, format="json").status_code == 403
        assert api(adam).delete(url(task, number)).status_code == 403
        # Who may delete the task may delete what is said about it.
        assert api(erik).delete(url(task, number)).status_code == 204


class TestMention:
    def test_tells_who_may_see_the_task_by_mail_and_live(self, olga, erik, robot, say, mailoutbox):
        task = make_task(olga, asset_id=robot.pk, title="Belt")
        made = say(olga, task, "@erik, have a look.\nhttps://evil.example/").json()
        assert made["mentions"] == [erik.pk]
        assert [event.topics for event in news("mention")] == [f"users/{erik.pk}/tasks"]
        assert news("mention")[0].payload["comment"] == {"id": made["id"], "task": task.pk, "author": olga.pk}
        ((to, subject, text),) = sent(mailoutbox)
        assert (to, subject) == (["erik@example.org"], "olga mentioned you: Belt")
        assert f"/tasks/#task-{task.pk}" in text
        assert "> @erik, have a look." in text
        assert "https://evil" not in text

    @pytest.mark.parametrize(
        "who",
        [
            pytest.param("mallory", id="an outsider"),
            pytest.param("oscar", id="somebody of another site"),
            pytest.param("nobody", id="nobody"),
        ],
    )
    def test_of_who_may_not_see_it_tells_nobody_and_says_nothing(self, olga, mallory, oscar, robot, say, who):
        task = make_task(olga, asset_id=robot.pk)
        assert say(olga, task, f"@{who} look").json()["mentions"] == []
        assert not Delivery.objects.exists()
        assert not news("mention")

    def test_of_oneself_is_no_news(self, olga, say):
        say(olga, make_task(olga), "@olga: buy milk")
        assert letters_to(olga) == 0
        assert not news("mention")

    def test_knows_names_in_any_case_and_at_the_end_of_a_sentence(self, olga, robot, plant, say):
        zoe = factories.make_user("Zoë.K", role="operator", site=plant)
        task = make_task(olga, asset_id=robot.pk)
        assert say(olga, task, "Ask @ZOË.K.").json()["mentions"] == [zoe.pk]

    def test_reaches_a_person_once_however_often_the_comment_is_changed(self, api, olga, erik, vera, robot, say):
        task = make_task(olga, asset_id=robot.pk)
        number = say(olga, task, "@erik").json()["id"]
        for text in ("@erik @vera", "nobody", "@erik @vera again"):
            answer = api(olga).patch(url(task, number), {"text": text}, format="json")
        assert answer.json()["mentions"] == sorted([erik.pk, vera.pk])
        assert (letters_to(erik), letters_to(vera)) == (1, 1)

    def test_goes_to_no_address_that_was_not_shown_to_be_theirs(self, olga, plant, robot, say, mailoutbox):
        factories.make_user("una", role="viewer", site=plant, email_verified_at=None)
        say(olga, make_task(olga, asset_id=robot.pk), "@una")
        assert sent(mailoutbox) == []
        assert Mention.objects.count() == 1

    def test_is_not_written_to_who_may_see_it_no_longer(self, olga, erik, robot, say, mailoutbox):
        say(olga, make_task(olga, asset_id=robot.pk), "@erik")
        erik.memberships.all().delete()
        assert sent(mailoutbox) == []

    def test_of_a_comment_that_was_deleted_before_it_went_is_not_written(self, api, olga, erik, robot, say, mailoutbox):
        task = make_task(olga, asset_id=robot.pk)
        api(olga).delete(url(task, say(olga, task, "@erik oops").json()["id"]))
        assert sent(mailoutbox) == []

    def test_tells_nobody_who_reads_the_outbox_what_was_said(self, olga, erik, adam, robot, api, say):
        say(olga, make_task(olga, asset_id=robot.pk), "@erik the safe is open")
        delivery = Delivery.objects.get()
        assert "safe" not in f"{delivery.subject} {delivery.body}"
        assert "safe" not in api(adam).get(f"/api/deliveries/{delivery.pk}/").content.decode()


class TestNews:
    def test_goes_to_who_may_see_the_task_and_says_nothing_of_the_text(self, api, olga, vera, robot, plant, say):
        task = make_task(olga, asset_id=robot.pk)
        number = say(olga, task, "secret").json()["id"]
        api(olga).patch(url(task, number), {"text": "other"}, format="json")
        api(olga).delete(url(task, number))
        found = news("comment")
        assert [event.payload["event"] for event in found] == ["created", "changed", "deleted"]
        assert {event.topics for event in found} == {f"users/{olga.pk}/tasks sites/{plant.pk}/tasks"}
        assert not [event for event in found if "secret" in str(event.payload)]

    def test_of_what_failed_there_is_none(self, olga, say):
        say(olga, make_task(olga), " ".join(f"@person{number}" for number in range(51)))
        assert not news("comment")
