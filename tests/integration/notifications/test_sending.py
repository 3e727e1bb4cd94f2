"""From the outbox to the mail server: at least once, side by side, and again after every failure."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import internal
from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.live.models import LiveEvent
from techtrack.notifications import jobs, services
from techtrack.notifications.domain.retry import LONGEST_AGE, LONGEST_DELAY, MOST_DEATHS, MOST_REFUSALS
from techtrack.notifications.domain.transport import NotDelivered, transports
from techtrack.notifications.models import Channel, Delivery
from tests import factories

NO = NotDelivered("no", retry=True)

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def queued(make_alert, make_channel, make_route, enqueue):
    """One delivery that waits for the channel ``shift``."""
    make_route(make_channel("shift"))
    return enqueue(make_alert())[0]


def let_it_be_due(delivery):
    Delivery.objects.filter(pk=delivery.pk).update(next_attempt_at=clock.now(), lease_until=None)
    Channel.objects.filter(pk=delivery.channel_id).update(retry_at=None)


def until(look):
    """Look again and again, until it is so."""
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


class TestEmail:
    def test_reaches_a_real_mail_server(self, queued, mailbox, settings, send):
        settings.DEFAULT_FROM_EMAIL = "TechTrack <plant@plant.example>"
        assert send() is True
        (mail,) = mailbox.messages
        assert mail["Message-ID"] == f"<{queued.pk}@techtrack>"
        assert mail["From"] == "TechTrack <plant@plant.example>"
        assert mail["To"] == "shift@plant.example"
        assert mail["Subject"] == queued.subject
        assert mail["Auto-Submitted"] == "auto-generated"
        text = mail.get_body(["plain"]).get_content().replace("\r\n", "\n")
        assert text.startswith(queued.body.rstrip("\n"))
        queued.refresh_from_db()
        assert (queued.state, queued.attempts, queued.lease_until) == ("sent", 1, None)
        assert queued.sent_at is not None
        assert send() is False

    def test_carries_names_in_any_script(self, make_alert, make_channel, make_route, enqueue, mailbox, send):
        make_route(make_channel("shift"))
        (delivery,) = enqueue(make_alert(title="Lager überhitzt — 軸承過熱 🔥"))
        send()
        # A long header is folded before its first word, and the parser keeps that blank.
        assert mailbox.messages[0]["Subject"].strip() == delivery.subject
        assert "軸承過熱 🔥" in mailbox.messages[0].get_body(["plain"]).get_content()

    def test_waits_while_nobody_listens_and_the_alert_stands(self, queued, mail_port, send):
        before = clock.now()
        assert send() is True
        queued.refresh_from_db()
        assert (queued.state, queued.attempts, queued.lease_until) == ("pending", 1, None)
        assert "ConnectionRefusedError" in queued.error
        assert queued.next_attempt_at > before + timedelta(seconds=3)
        # The whole channel rests meanwhile.
        assert Channel.objects.get().retry_at > before
        Channel.objects.update(retry_at=None)
        assert Alert.objects.filter(pk=queued.alert_id, active=True).exists()
        # It is not due yet, so the loop rests.
        assert send() is False

    def test_is_tried_again_and_arrives_once_somebody_listens(self, queued, mail_port, request, send):
        send()
        let_it_be_due(queued)
        mailbox = request.getfixturevalue("mailbox")
        send()
        queued.refresh_from_db()
        assert (queued.state, queued.attempts, queued.error) == ("sent", 2, "")
        assert len(mailbox.messages) == 1

    def test_is_given_up_soon_where_the_server_refuses(self, queued, mailbox, send):
        mailbox.refuse = "554 no, thank you"
        for _ in range(3):
            send()
            let_it_be_due(queued)
        queued.refresh_from_db()
        assert (queued.state, queued.attempts) == ("dead", 3)
        assert "no, thank you" in queued.error
        assert send() is False

    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            pytest.param("550 no such mailbox", "dead", id="for good"),
            pytest.param("450 try later", "pending", id="for now"),
        ],
    )
    def test_is_repeated_only_to_those_who_were_refused(self, shared, mailbox, answer, state, send):
        mailbox.refuse_to = {"bob@plant.example": answer}
        for _ in range(MOST_REFUSALS):
            send()
            let_it_be_due(shared)
        shared.refresh_from_db()
        assert (shared.state, shared.attempts, shared.reached) == (state, MOST_REFUSALS, ["ann@plant.example"])
        assert "bob@plant.example" in shared.error
        assert "ann@plant.example" not in shared.error
        assert mailbox.envelopes == [["ann@plant.example"]]
        mailbox.refuse_to = {}
        if state == "dead":
            services.retry_delivery(delivery=shared, by=internal(), now=clock.now())
        send()
        shared.refresh_from_db()
        assert (shared.state, shared.error) == ("sent", "")
        assert mailbox.envelopes == [["ann@plant.example"], ["bob@plant.example"]]
        # Under one id, and each sees to whom it went.
        assert {mail["Message-ID"] for mail in mailbox.messages} == {f"<{shared.pk}@techtrack>"}
        assert {mail["To"] for mail in mailbox.messages} == {"ann@plant.example, bob@plant.example"}

    def test_to_the_others_does_not_wait_for_one_who_is_refused(self, shared, mailbox, send, make_alert, enqueue):
        for _ in range(3):
            enqueue(make_alert())
        mailbox.refuse_to = {"bob@plant.example": "550 no such mailbox"}
        send()
        assert mailbox.envelopes == 4 * [["ann@plant.example"]]
        channel = Channel.objects.get()
        assert (channel.failing_since, channel.retry_at, channel.failures) == (None, None, 0)
        # What is wrong is shown none the less, until all of it goes through.
        assert "no such mailbox" in channel.error
        mailbox.refuse_to = {}
        enqueue(make_alert())
        send()
        assert Channel.objects.get().error == ""

    @pytest.fixture
    def shared(self, make_alert, make_channel, make_route, enqueue):
        make_route(make_channel("shift", config={"to": ["ann@plant.example", "bob@plant.example"]}))
        return enqueue(make_alert())[0]

    def test_says_what_the_server_said(self, queued, mailbox, send):
        send()
        queued.refresh_from_db()
        assert queued.answer == "The mail server took it: 250 OK"


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

    def test_after_the_answer_is_made_good_by_whoever_lives(self, queued, mailbox, tmp_path, monkeypatch, send):
        died = threading.Event()

        class PowerCutError(BaseException):
            pass

        def cut(**_):
            died.set()
            raise PowerCutError

        with monkeypatch.context() as patch:
            patch.setattr(threading, "excepthook", lambda _: None)
            for name in ("record_sent", "record_sent_and_claim"):
                patch.setattr(services, name, cut)
            sender = jobs.Sender(folder=tmp_path)
            sender.step()
            assert sender.settle(20)
        assert died.is_set()
        queued.refresh_from_db()
        assert (queued.state, len(mailbox.messages)) == ("pending", 1)
        heir = jobs.Sender(folder=tmp_path)
        # It lives, so it may be about to record it itself.
        heir.step()
        queued.refresh_from_db()
        assert queued.state == "pending"
        sender._notes.close()
        heir = jobs.Sender(folder=tmp_path)
        heir.step()
        assert heir.settle(20)
        queued.refresh_from_db()
        assert (queued.state, queued.lease_until, len(mailbox.messages)) == ("sent", None, 1)
        assert queued.answer == "It was taken; the process that sent it ended before it could write down what was said."
        assert list(tmp_path.iterdir()) == []

    def test_leaves_notes_of_which_a_damaged_one_stops_nothing(self, queued, mailbox, tmp_path):
        (tmp_path / "old.notes").write_bytes(b"\xff\0no id\n" + str(queued.pk).encode() + b"\n")
        heir = jobs.Sender(folder=tmp_path)
        heir.step()
        assert heir.settle(20)
        queued.refresh_from_db()
        assert (queued.state, len(mailbox.messages)) == ("sent", 0)

    def test_that_comes_with_every_attempt_is_the_end_of_the_message(self, queued, enqueue, make_alert, send, mailbox):
        now = clock.now()
        for attempt in range(MOST_DEATHS):
            # Its sender dies each time: nobody records anything.
            delivery = services.claim_next(channel_id=queued.channel_id, now=now)
            assert (delivery.pk, delivery.attempts) == (queued.pk, attempt + 1)
            now += services.LEASE
            other = services.claim_next(channel_id=queued.channel_id, now=now) if attempt else None
            assert other is None
            queued.refresh_from_db()
            now = max(now, queued.next_attempt_at)
        assert (queued.state, queued.lease_until, queued.deaths) == ("dead", None, MOST_DEATHS)
        assert queued.error.startswith("10 attempts in a row ended with the process that sent it")
        # A person may try again, with as much patience as before.
        services.retry_delivery(delivery=queued, by=internal(), now=now)
        queued.refresh_from_db()
        assert (queued.state, queued.deaths) == ("pending", 0)

    def test_with_one_message_leaves_the_line_to_the_next(self, queued, enqueue, make_alert):
        (other,) = enqueue(make_alert())
        now = clock.now()
        channel = queued.channel_id
        first = services.claim_next(channel_id=channel, now=now)
        second = services.claim_next(channel_id=channel, now=now + services.LEASE)
        assert first.pk == second.pk == queued.pk
        assert services.claim_next(channel_id=channel, now=now + 2 * services.LEASE).pk == other.pk
        queued.refresh_from_db()
        assert queued.next_attempt_at > now + 2 * services.LEASE


class TestClaim:
    def test_takes_the_gravest_first_and_of_these_the_oldest(self, make_channel):
        channel, now = make_channel("shift"), clock.now()
        ages = enumerate(["low", "critical", "info", "", "high", "critical", "medium"])
        made = [
            factories.make_delivery(channel, severity=severity, next_attempt_at=now - timedelta(minutes=9 - age))
            for age, severity in ages
        ]
        claimed = [services.claim_next(channel_id=channel.pk, now=now).pk for _ in made]
        assert claimed == [made[place].pk for place in (1, 5, 4, 6, 0, 2, 3)]

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
    def test_gives_up_what_failed_often_and_is_old(self, queued):
        now = clock.now()
        while queued.state == "pending":
            assert queued.attempts < 40, "it was never given up"
            Channel.objects.update(retry_at=None)
            delivery = services.claim_next(channel_id=queued.channel_id, now=now)
            services.record_failure(delivery=delivery, failure=NO, now=now, chance=0.5)
            now += LONGEST_DELAY
            queued.refresh_from_db()
        assert (queued.state, queued.error) == ("dead", "no")
        assert now - queued.created_at > LONGEST_AGE

    def test_of_a_failure_lets_the_whole_channel_rest_longer_and_longer(self, queued, enqueue, make_alert):
        other = enqueue(make_alert())[0]
        now = clock.now()
        for seconds in (1, 2, 4):
            delivery = services.claim_next(channel_id=queued.channel_id, now=now)
            services.record_failure(delivery=delivery, failure=NO, now=now, chance=0.5)
            channel = Channel.objects.get()
            assert (channel.retry_at, channel.error) == (now + timedelta(seconds=seconds), "no")
            assert services.claim_next(channel_id=channel.pk, now=now) is None
            now = max(channel.retry_at, now + timedelta(hours=1))
        services.record_sent(delivery=other, now=now)
        channel = Channel.objects.get()
        assert (channel.failures, channel.retry_at, channel.failing_since, channel.error) == (0, None, None, "")
        assert channel.last_sent_at == now

    def test_of_a_failure_comes_too_late_for_one_who_lost_the_lease(self, queued):
        now = clock.now()
        slow = services.claim_next(channel_id=queued.channel_id, now=now)
        services.claim_next(channel_id=queued.channel_id, now=now + services.LEASE)
        services.record_failure(delivery=slow, failure=NO, now=now, chance=0.5)
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

    @pytest.mark.parametrize("worked", [True, False], ids=["worked before", "are new"])
    def test_however_many_channels_hang_what_works_goes_on(
        self, fakes, make_alert, make_channel, make_route, enqueue, worked
    ):
        let_go, sent = fakes
        well = {"last_sent_at": clock.now()}
        healthy = make_channel("healthy", kind="remembering", config={}, **well)
        make_route(
            healthy, *(make_channel(f"h{n}", kind="hanging", config={}, **well if worked else {}) for n in range(9))
        )
        sender = jobs.Sender(most=2, slow=0.2)
        enqueue(make_alert())
        until(lambda: (sender.step(), sent)[1])
        for number in range(2, 5):
            enqueue(make_alert())
            until(lambda wanted=number: (sender.step(), len(sent) == wanted)[1])
        assert set(Delivery.objects.exclude(channel=healthy).values_list("state", flat=True)) == {"pending"}
        let_go.set()
        until(lambda: (sender.step(), not Delivery.objects.exclude(state="sent").exists())[1])
        assert sender.settle(10)
        assert Delivery.objects.filter(state="sent").count() == 40

    def test_a_new_channel_waits_for_none_that_fails(self, fakes, make_alert, make_channel, make_route, enqueue):
        let_go, sent = fakes
        failing = {"kind": "hanging", "config": {}, "failing_since": clock.now()}
        make_route(*(make_channel(f"f{number}", **failing) for number in range(5)))
        make_route(make_channel("new", kind="remembering", config={}))
        enqueue(make_alert())
        sender = jobs.Sender(most=2, slow=60)
        sender.step()
        until(lambda: sent)
        let_go.set()
        until(lambda: (sender.step(), not Delivery.objects.exclude(state="sent").exists())[1])
        assert sender.settle(10)

    def test_has_no_more_threads_than_it_may(self, fakes, make_alert, make_channel, make_route, enqueue):
        let_go, _ = fakes
        make_route(*(make_channel(f"c{number}", kind="hanging", config={}) for number in range(3)))
        enqueue(make_alert())
        sender = jobs.Sender(most=2, slow=60)
        assert sender.step() is True
        assert len(sender._runs) == 2
        assert sender.step() is False
        let_go.set()
        until(lambda: (sender.step(), not Delivery.objects.exclude(state="sent").exists())[1])
        assert sender.settle(10)

    def test_a_transport_that_breaks_is_a_failure_like_any_other(
        self, fakes, make_alert, make_channel, make_route, enqueue, caplog, send
    ):
        make_route(make_channel("a", kind="breaking", config={}))
        (delivery,) = enqueue(make_alert())
        send()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts, delivery.lease_until) == ("pending", 1, None)
        assert "a surprise" in delivery.error
        assert "the transport broke" in caplog.text

    def test_a_failure_leaves_the_rest_of_its_channel_for_later(
        self, fakes, make_alert, make_channel, make_route, enqueue, send
    ):
        make_route(make_channel("a", kind="breaking", config={}))
        enqueue(make_alert())
        enqueue(make_alert())
        send()
        assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 1]


class TestDatabaseTrouble:
    @pytest.fixture
    def troubled(self, monkeypatch):
        """The database fails so many times to write down that a message was taken."""
        monkeypatch.setattr(jobs, "RECORD_PAUSES", (0.0, 0.0, 0.0))

        def trouble(times):
            left = [times]
            for name in ("record_sent", "record_sent_and_claim"):
                whole = getattr(services, name)

                def failing(*, whole=whole, **told):
                    left[0] -= 1
                    if left[0] >= 0:
                        raise OperationalError("deadlock detected")
                    return whole(**told)

                monkeypatch.setattr(services, name, failing)

        return trouble

    @pytest.mark.parametrize("times", [1, 3])
    def test_does_not_make_it_forget_what_was_taken(self, queued, mailbox, send, troubled, times, caplog):
        troubled(times)
        send()
        queued.refresh_from_db()
        assert (queued.state, len(mailbox.messages)) == ("sent", 1)
        assert "could not be written down" in caplog.text

    def test_that_lasts_is_logged_and_made_good_when_it_is_over(self, queued, mailbox, troubled, caplog):
        troubled(99)
        sender = jobs.Sender()
        sender.step()
        assert sender.settle(20)
        queued.refresh_from_db()
        assert queued.state == "pending"
        assert queued.lease_until is not None
        assert "sending stopped and will go on" in caplog.text
        sender.step()
        assert sender.settle(20)
        queued.refresh_from_db()
        assert (queued.state, queued.attempts, len(mailbox.messages)) == ("sent", 1, 1)

    def test_of_a_channel_that_is_switched_off_or_deleted_meanwhile_is_none(
        self, make_channel, make_route, make_alert, enqueue, mailbox, adam
    ):
        channels = [make_channel(f"c{number}") for number in range(4)]
        make_route(*channels)
        for _ in range(5):
            enqueue(make_alert())
        sender = jobs.Sender()
        sender.step()
        for number, channel in enumerate(channels):
            stored, by = Channel.objects.get(pk=channel.pk), adam.access()
            if number % 2:
                services.delete_channel(channel=stored, by=by, expected=None, now=clock.now())
            else:
                off = {"enabled": False}
                services.update_channel(channel=stored, by=by, changes=off, expected=None, now=clock.now())
        until(lambda: (sender.step(), sender.settle(20))[1])
        assert Channel.objects.count() == 2
        assert set(Delivery.objects.values_list("state", flat=True)) <= {"sent", "dead"}


class TestChannel:
    @pytest.fixture
    def change(self, adam):
        def make(channel, **changes):
            stored = Channel.objects.get(pk=channel)
            by = adam.access()
            return services.update_channel(channel=stored, by=by, changes=changes, expected=None, now=clock.now())

        return make

    def test_that_is_switched_off_leaves_dead_letters_and_says_so(self, queued, enqueue, make_alert, change):
        (held,) = enqueue(make_alert())
        Delivery.objects.filter(pk=held.pk).update(state="held")
        before = LiveEvent.objects.count()
        change(queued.channel_id, enabled=False)
        assert set(Delivery.objects.values_list("state", "error")) == {("dead", "the channel was switched off")}
        assert LiveEvent.objects.count() == before + 2

    def test_that_is_switched_off_gets_nothing_that_would_wait_in_silence(self, queued, change):
        change(queued.channel_id, enabled=False)
        queued.refresh_from_db()
        with pytest.raises(services.ChannelOff):
            services.retry_delivery(delivery=queued, by=internal(), now=clock.now())
        rows = Delivery.objects.all()
        with pytest.raises(services.ChannelOff):
            services.retry_deliveries(rows=rows, by=internal(), now=clock.now())
        change(queued.channel_id, enabled=True)
        assert services.retry_deliveries(rows=rows, by=internal(), now=clock.now()) == 1

    def test_that_is_switched_off_keeps_none_of_the_others_from_being_tried_again(self, queued, make_channel):
        off = make_channel("off", enabled=False)
        factories.make_delivery(off, state="dead")
        Delivery.objects.update(state="dead")
        assert services.retry_deliveries(rows=Delivery.objects.all(), by=internal(), now=clock.now()) == 1
        assert Delivery.objects.get(state="dead").channel == off

    def test_that_was_switched_off_while_it_was_written_to_keeps_nothing_waiting(self, make_channel):
        stranded = factories.make_delivery(make_channel("off", enabled=False))
        other = factories.make_delivery(make_channel("on"))
        assert services.give_up_switched_off(now=clock.now()) == 1
        assert services.give_up_switched_off(now=clock.now()) == 0
        stranded.refresh_from_db()
        other.refresh_from_db()
        assert (stranded.state, stranded.error, other.state) == ("dead", "the channel was switched off", "pending")

    @pytest.mark.parametrize(
        ("changes", "freed"),
        [
            pytest.param({"config": {"to": ["right@plant.example"]}}, True, id="another address"),
            pytest.param({"kind": "console", "config": {}}, True, id="another kind"),
            pytest.param({"name": "Another"}, False, id="another name"),
            pytest.param({"config": {"to": ["shift@plant.example"]}, "enabled": True}, False, id="nothing"),
        ],
    )
    def test_that_is_mended_frees_what_waits(self, queued, change, changes, freed):
        later = clock.now() + timedelta(hours=1)
        Delivery.objects.update(next_attempt_at=later, attempts=7)
        Channel.objects.update(failing_since=clock.now(), error="away", failures=9, retry_at=later)
        change(queued.channel_id, **changes)
        queued.refresh_from_db()
        channel = Channel.objects.get()
        assert (queued.next_attempt_at < later) is freed
        assert (channel.retry_at is None) is freed
        assert (channel.failing_since, channel.error, channel.failures) == (
            (None, "", 0) if freed else (channel.failing_since, "away", 9)
        )
        assert queued.attempts == 7

    def test_that_is_switched_on_again_is_tried_at_once(self, queued, change):
        Channel.objects.update(enabled=False, failures=9, retry_at=clock.now() + timedelta(hours=1))
        change(queued.channel_id, enabled=True)
        assert Channel.objects.values_list("failures", "retry_at").get() == (0, None)


class TestRetry:
    def test_of_many_asks_the_database_no_oftener(self, make_channel):
        channel = make_channel("shift")

        def retry(count):
            for _ in range(count):
                factories.make_delivery(channel, state="dead")
            with CaptureQueriesContext(connection) as asked:
                rows = Delivery.objects.all()
                assert services.retry_deliveries(rows=rows, by=internal(), now=clock.now()) == count
            return len(asked)

        assert retry(2) == retry(40)
        assert LiveEvent.objects.count() == 42


class TestSender:
    def test_finds_no_thread_and_tries_again(self, queued, send, mailbox, monkeypatch):
        sender = jobs.Sender()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_room)
            with pytest.raises(RuntimeError):
                sender.step()
        assert sender.step() is True
        assert sender.settle(20)
        assert len(mailbox.messages) == 1


def no_room(thread):
    raise RuntimeError("can't start new thread")
