"""Letters about accounts in the outbox: nobody reads them there, and one that is refused delays no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Role
from techtrack.accounts.domain.letters import Desk
from techtrack.core import clock
from techtrack.notifications import jobs, queries, services
from techtrack.notifications.domain.transport import NotDelivered
from techtrack.notifications.models import LETTER, Channel, Delivery, DeliveryState
from techtrack.notifications.transports.email import Email
from techtrack.watch import queries as watching
from tests.factories import make_user


@pytest.fixture
def letter(olga):
    """``letter()``: one about olga's password, claimed by a sender."""

    def written():
        accounts.welcome(user=olga, by=make_user(f"boss{Delivery.objects.count()}", role=Role.ADMIN).access())
        return services.claim_next(channel_id=Channel.objects.get(kind=LETTER).pk, now=clock.now())

    return written


class TestLetter:
    def test_is_hidden_from_who_is_not_concerned(self, letter, adam, erik, olga, vera, api):
        everywhere = make_user("everywhere", role=Role.OPERATOR)
        number = str(letter().pk)
        paths = ["/api/deliveries/", f"/api/deliveries/{number}/"]
        seen = {user.username: api(user).get(paths[1]).status_code for user in (adam, everywhere, erik, olga, vera)}
        assert seen == {"adam": 200, "everywhere": 404, "erik": 404, "olga": 200, "vera": 404}
        assert api(everywhere).get(paths[0]).json()["count"] == 0
        assert not {"body", "facts"} & api(adam).get(paths[1]).json().keys()
        assert api(adam).get("/api/channels/").json()["count"] == 0

    def test_goes_to_one_address_alone(self, letter, mailoutbox):
        assert jobs.send(letter())
        assert [one.to for one in mailoutbox] == [["olga@example.org"]]

    @pytest.mark.parametrize(
        ("retry", "state", "rests"),
        [
            pytest.param(False, DeliveryState.PENDING, False, id="the address is refused"),
            pytest.param(True, DeliveryState.PENDING, True, id="the server is away"),
        ],
    )
    def test_that_is_refused_delays_no_other(self, retry, state, rests, letter, monkeypatch):
        def refuse(*_):
            raise NotDelivered("550 no such person", retry=retry)

        monkeypatch.setattr(Email, "send", refuse)
        delivery = letter()
        assert not jobs.send(delivery)
        delivery.refresh_from_db()
        channel = Channel.objects.get(kind=LETTER)
        assert delivery.state in {state, DeliveryState.DEAD}
        assert (channel.retry_at is not None, channel.failing_since is not None) == (rests, rests)

    def test_raises_no_alarm_that_strangers_could_cause(self, letter, now):
        Delivery.objects.filter(pk=letter().pk).update(state=DeliveryState.DEAD, next_attempt_at=clock.now())
        assert watching._dead_letters(clock.now()) == 0

    def test_is_forgotten_after_a_week(self, letter):
        jobs.send(letter())
        services.forget_old(now=clock.now() + timedelta(days=6))
        assert Delivery.objects.filter(event=LETTER).exists()
        services.forget_old(now=clock.now() + timedelta(days=8))
        assert not Delivery.objects.filter(event=LETTER).exists()

    def test_waits_in_a_line_of_its_own(self, letter):
        letter()
        letter()
        assert Channel.objects.filter(kind=LETTER).count() == 1
        assert len(queries.channels_due(clock.now() + timedelta(minutes=5))) == 1


class TestWords:
    def test_of_a_name_add_no_line_and_no_link(self):
        name = "olga\n\nClick https://evil.example/\u2028now"
        text = Desk("https://plant.example").verify("a@b.org", username=name, key="k").text
        assert "https://evil" not in text
        assert len(text.splitlines()) == len(
            Desk("https://plant.example").verify("a@b.org", username="olga", key="k").text.splitlines()
        )
        assert "https://plant.example/accounts/verify/k/" in text
