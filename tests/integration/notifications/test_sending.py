"""From the outbox to the mail server: at least once, side by side, and again after every failure."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest
from django.db import connections

from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.notifications import jobs, services
from techtrack.notifications.domain.retry import MOST_ATTEMPTS, MOST_REFUSALS
from techtrack.notifications.domain.transport import transports
from techtrack.notifications.models import Delivery

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def queued(make_alert, make_channel, make_route, enqueue):
    """One delivery that waits for the channel ``shift``."""
    make_route(make_channel("shift"))
    return enqueue(make_alert())[0]


def let_it_be_due(delivery):
    Delivery.objects.filter(pk=delivery.pk).update(next_attempt_at=clock.now(), lease_until=None)


class TestEmail:
    def test_reaches_a_real_mail_server(self, queued, mailbox, settings):
        settings.DEFAULT_FROM_EMAIL = "TechTrack <plant@plant.example>"
        assert jobs.send_due() is True
        (mail,) = mailbox.messages
        assert mail["Message-ID"] == f"<{queued.pk}@techtrack>"
        assert mail["From"] == "TechTrack <plant@plant.example>"
        assert mail["To"] == "shift@plant.example"
        assert mail["Subject"] == queued.subject
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_content_type() == "text/plain"
        assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == queued.body.rstrip("\n")
        queued.refresh_from_db()
        assert (queued.state, queued.attempts, queued.lease_until) == ("sent", 1, None)
        assert queued.sent_at is not None
        assert jobs.send_due() is False

    def test_carries_names_in_any_script(self, make_alert, make_channel, make_route, enqueue, mailbox):
        make_route(make_channel("shift"))
        (delivery,) = enqueue(make_alert(title="Lager überhitzt — 軸承過熱 🔥"))
        jobs.send_due()
        # A long header is folded before its first word, and the parser keeps that blank.
        assert mailbox.messages[0]["Subject"].strip() == delivery.subject
        assert "軸承過熱 🔥" in mailbox.messages[0].get_content()

    def test_waits_while_nobody_listens_and_the_alert_stands(self, queued, mail_port):
        before = clock.now()
        assert jobs.send_due() is True
        queued.refresh_from_db()
        assert (queued.state, queued.attempts, queued.lease_until) == ("pending", 1, None)
        assert "ConnectionRefusedError" in queued.error
        assert queued.next_attempt_at > before + timedelta(seconds=20)
        assert Alert.objects.filter(pk=queued.alert_id, active=True).exists()
        # It is not due yet, so the loop rests.
        assert jobs.send_due() is False

    def test_is_tried_again_and_arrives_once_somebody_listens(self, queued, mail_port, request):
        jobs.send_due()
        let_it_be_due(queued)
        mailbox = request.getfixturevalue("mailbox")
        jobs.send_due()
        queued.refresh_from_db()
        assert (queued.state, queued.attempts, queued.error) == ("sent", 2, "")
        assert len(mailbox.messages) == 1

    def test_is_given_up_soon_where_the_server_refuses(self, queued, mailbox):
        mailbox.refuse = "554 no, thank you"
        for _ in range(3):
            jobs.send_due()
            let_it_be_due(queued)
        queued.refresh_from_db()
        assert (queued.state, queued.attempts) == ("dead", 3)
        assert "no, thank you" in queued.error
        assert jobs.send_due() is False

    @pytest.mark.parametrize(
        ("answer", "attempts"),
        [
            pytest.param("550 no such mailbox", MOST_REFUSALS, id="for good"),
            pytest.param("450 try later", MOST_ATTEMPTS, id="for now"),
        ],
    )
    def test_is_sent_once_nobody_is_refused(
        self, make_alert, make_channel, make_route, enqueue, mailbox, answer, attempts
    ):
        make_route(make_channel("shift", config={"to": ["ann@plant.example", "bob@plant.example"]}))
        (delivery,) = enqueue(make_alert())
        mailbox.refuse_to = {"bob@plant.example": answer}
        for _ in range(attempts):
            jobs.send_due()
            let_it_be_due(delivery)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts) == ("dead", attempts)
        assert "bob@plant.example" in delivery.error
        assert "ann@plant.example" not in delivery.error
        # Ann has it, more than once and under one Message-ID.
        assert {mail["Message-ID"] for mail in mailbox.messages} == {f"<{delivery.pk}@techtrack>"}


class TestCrash:
    def test_between_sending_and_recording_repeats_the_same_message_id(self, queued, mailbox, monkeypatch):
        class PowerCutError(BaseException):
            pass

        def cut(**_):
            raise PowerCutError

        delivery = services.claim_next(channel_id=queued.channel_id, now=clock.now())
        with monkeypatch.context() as patch:
            patch.setattr(services, "record_sent", cut)
            with pytest.raises(PowerCutError):
                jobs.send(delivery)
        queued.refresh_from_db()
        assert queued.state == "pending"
        # The lease protects it while its sender might still be alive …
        assert services.claim_next(channel_id=queued.channel_id, now=clock.now()) is None
        # … and then somebody else takes it over.
        taken = services.claim_next(channel_id=queued.channel_id, now=delivery.lease_until)
        assert jobs.send(taken) is True
        first, second = mailbox.messages
        assert first["Message-ID"] == second["Message-ID"] == f"<{queued.pk}@techtrack>"
        queued.refresh_from_db()
        assert (queued.state, queued.attempts) == ("sent", 2)


class TestClaim:
    def test_gives_each_delivery_to_one_of_two_senders(self, make_alert, make_channel, make_route, enqueue):
        channel = make_channel("shift")
        make_route(channel)
        wanted = {enqueue(make_alert())[0].pk for _ in range(30)}
        start = threading.Barrier(2)

        def claim_all():
            start.wait()
            taken = []
            try:
                while delivery := services.claim_next(channel_id=channel.pk, now=clock.now()):
                    taken.append(delivery.pk)
            finally:
                connections.close_all()
            return taken

        with ThreadPoolExecutor(2) as pool:
            one, other = (future.result() for future in [pool.submit(claim_all), pool.submit(claim_all)])
        assert sorted(one + other) == sorted(wanted)
        assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}

    def test_takes_the_one_that_waits_the_longest(self, make_alert, make_channel, make_route, enqueue):
        channel = make_channel("shift")
        make_route(channel)
        first, second = enqueue(make_alert())[0], enqueue(make_alert())[0]
        Delivery.objects.filter(pk=second.pk).update(next_attempt_at=clock.now() - timedelta(hours=1))
        claimed = [services.claim_next(channel_id=channel.pk, now=clock.now()) for _ in range(3)]
        assert [row and row.pk for row in claimed] == [second.pk, first.pk, None]


class TestRecord:
    def test_gives_up_after_the_last_attempt(self, queued):
        now = clock.now()
        for _ in range(MOST_ATTEMPTS):
            delivery = services.claim_next(channel_id=queued.channel_id, now=now)
            services.record_failure(delivery=delivery, error="no", retry=True, now=now, chance=0.5)
            now += timedelta(hours=1)
        queued.refresh_from_db()
        assert (queued.state, queued.attempts) == ("dead", MOST_ATTEMPTS)

    def test_of_a_failure_comes_too_late_for_one_who_lost_the_lease(self, queued):
        now = clock.now()
        slow = services.claim_next(channel_id=queued.channel_id, now=now)
        services.claim_next(channel_id=queued.channel_id, now=now + services.LEASE)
        services.record_failure(delivery=slow, error="too slow", retry=True, now=now, chance=0.5)
        queued.refresh_from_db()
        assert (queued.error, queued.lease_until) == ("", now + 2 * services.LEASE)


class TestSideBySide:
    @pytest.fixture
    def fakes(self):
        """Transports that hang until they are let go, break, or remember what they were given."""
        transports.names()
        let_go = threading.Event()
        sent: list[str] = []

        @transports.register("hanging")
        @dataclass(frozen=True)
        class Hanging:
            gate: ClassVar[threading.Event] = let_go

            def send(self, _message, _delivery_id):
                self.gate.wait(20)

        @transports.register("breaking")
        @dataclass(frozen=True)
        class Breaking:
            def send(self, _message, _delivery_id):
                raise KeyError("a surprise")

        @transports.register("remembering")
        @dataclass(frozen=True)
        class Remembering:
            def send(self, _message, delivery_id):
                sent.append(delivery_id)

        yield let_go, sent
        let_go.set()
        for name in ("hanging", "breaking", "remembering"):
            del transports._items[name]

    def test_a_channel_that_hangs_delays_nobody_else(self, fakes, make_alert, make_channel, make_route, enqueue):
        let_go, sent = fakes
        hanging = make_channel("a", kind="hanging", config={})
        make_route(hanging, make_channel("b", kind="remembering", config={}))
        sender = jobs.Sender(patience=0.5)
        enqueue(make_alert())
        started = time.monotonic()
        assert sender.step() is True
        assert len(sent) == 1
        enqueue(make_alert())
        assert sender.step() is True
        assert len(sent) == 2
        assert time.monotonic() - started < 10
        # The channel that hangs has its thread already: there is nothing to start.
        assert sender.step() is False
        let_go.set()
        deadline = time.monotonic() + 10
        while Delivery.objects.exclude(state="sent").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert Delivery.objects.filter(channel=hanging, state="sent").count() == 2
        while sender._busy and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not sender._busy

    def test_has_no_more_threads_than_it_may(self, fakes, make_alert, make_channel, make_route, enqueue):
        let_go, _ = fakes
        make_route(*(make_channel(f"c{number}", kind="hanging", config={}) for number in range(3)))
        enqueue(make_alert())
        sender = jobs.Sender(most=2, patience=0.2)
        assert sender.step() is True
        assert len(sender._busy) == 2
        assert sender.step() is False
        let_go.set()
        deadline = time.monotonic() + 10
        while Delivery.objects.exclude(state="sent").exists() and time.monotonic() < deadline:
            sender.step()
        assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
        while sender._busy and time.monotonic() < deadline:
            time.sleep(0.02)

    def test_a_transport_that_breaks_is_a_failure_like_any_other(
        self, fakes, make_alert, make_channel, make_route, enqueue, caplog
    ):
        make_route(make_channel("a", kind="breaking", config={}))
        (delivery,) = enqueue(make_alert())
        jobs.send_due()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts, delivery.lease_until) == ("pending", 1, None)
        assert "a surprise" in delivery.error
        assert "the transport broke" in caplog.text

    def test_a_failure_leaves_the_rest_of_its_channel_for_later(
        self, fakes, make_alert, make_channel, make_route, enqueue
    ):
        make_route(make_channel("a", kind="breaking", config={}))
        enqueue(make_alert())
        enqueue(make_alert())
        jobs.send_due()
        assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 1]
