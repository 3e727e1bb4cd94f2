"""SMS services behind Apprise: from the alert to what Twilio and Vonage are asked over the wire, and what they say."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest

from techtrack.notifications.domain.sms import BASIC, EXTENSION, septets
from techtrack.notifications.models import Channel, DeliveryState
from tests.integration.notifications.gateways import Http, answer, serving

pytestmark = [
    pytest.mark.usefixtures("transactional_db"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
CHANNELS = "/api/channels/"
SECRET = "9ecre7ofthe5ervice"
FROM, TO = "15555550100", "+4915112345678"
ACCOUNT = "AC735c307c62944b5a"


class Service(NamedTuple):
    """One of them: where the library keeps its address, a channel's address, and what it answers."""

    plugin: str
    attribute: str
    url: str
    text: str
    taken: bytes
    refused: bytes
    why: str


def _vonage(status: str, words: str = "") -> bytes:
    """Whether it took a text or not, Vonage answers 200: the status of each message stands in the body."""
    message = {"to": TO[1:], "status": status} | ({"error-text": words} if words else {})
    return answer("200 OK", json.dumps({"message-count": "1", "messages": [message]}).encode())


SERVICES = [
    pytest.param(
        Service(
            "apprise.plugins.twilio.NotifyTwilio",
            "notify_sms_url",
            f"twilio://{ACCOUNT}:{SECRET}@{FROM}/{TO}",
            "Body",
            answer("201 Created", b'{"status": "queued"}'),
            answer("400 Bad Request", b'{"code": 21211, "message": "Invalid \'To\' Phone Number"}'),
            "Invalid 'To' Phone Number",
        ),
        id="Twilio",
    ),
    pytest.param(
        Service(
            "apprise.plugins.vonage.NotifyVonage",
            "notify_url",
            f"vonage://a1b2c3:{SECRET}@{FROM}/{TO}",
            "text",
            _vonage("0"),
            _vonage("6", "Unroutable message - rejected"),
            "Unroutable message - rejected",
        ),
        id="Vonage",
    ),
]


@contextmanager
def everything_logged() -> Iterator[None]:
    """With LOG_LEVEL=DEBUG."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)


@pytest.fixture(params=SERVICES)
def service(request: Any) -> Service:
    return request.param


@pytest.fixture
def phone(api, erik, plant, settings, service):
    """``phone()``: a channel to the service's own address, made as an engineer makes it."""
    settings.PRIVATE_DESTINATIONS, settings.HTTP_TIMEOUT = ["127.0.0.1"], 2

    def make(url: str = service.url) -> Channel:
        body = {"name": "Phone", "kind": "apprise", "site": plant.pk, "config": {"url": url}}
        made = api(erik).post(CHANNELS, body, format="json")
        assert made.status_code == 201, made.json()
        assert SECRET not in made.content.decode()
        return Channel.objects.get(pk=made.json()["id"])

    return make


@pytest.fixture
def leads_to(monkeypatch, service):
    """``leads_to(port)``: from now on the library finds the service on this machine."""

    def lead(port: int) -> None:
        monkeypatch.setattr(f"{service.plugin}.{service.attribute}", f"http://127.0.0.1:{port}/sms")

    return lead


class TestServiceOfTexts:
    def test_is_sent_one_part_in_gsm_letters(self, service, phone, leads_to, make_route, make_alert, enqueue, send):
        make_route(phone())
        hook = Http(service.taken)
        with serving(hook) as port:
            leads_to(port)
            [delivery] = enqueue(make_alert(title="Lager zu heiß: 1200 µm/s² \N{EN DASH} Ölfilm ≤ 3 µm " * 5))
            send()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.error) == (DeliveryState.SENT, "")
        [(line, headers, body)] = hook.requests
        form = {name.lower(): value for name, [value] in parse_qs(body.decode()).items()}
        assert line.startswith("POST /sms")
        assert (form["to"].lstrip("+"), form["from"].lstrip("+")) == (TO[1:], FROM)
        text = form[service.text.lower()]
        assert text.startswith("[HIGH] Lager zu heiß: 1200 um/s2 - Ölfilm <= 3 um")
        assert text.endswith(f"/alerts/{delivery.alert_id}/")
        assert set(text) <= BASIC | EXTENSION
        assert septets(text) <= 160
        assert form.get("api_secret") == SECRET or headers["authorization"] == (
            f"Basic {base64.b64encode(f'{ACCOUNT}:{SECRET}'.encode()).decode()}"
        )

    def test_says_why_it_did_not_take_one_which_is_not_lost(
        self, api, erik, service, phone, leads_to, make_route, make_alert, enqueue, send, capfd
    ):
        channel = phone()
        make_route(channel)
        with everything_logged(), serving(Http(service.refused)) as port:
            leads_to(port)
            [delivery] = enqueue(make_alert())
            send()
            tried = api(erik).post(f"{CHANNELS}{channel.pk}/test/").json()
        delivery.refresh_from_db()
        assert delivery.state != DeliveryState.SENT
        assert delivery.next_attempt_at is not None
        assert service.why in delivery.error
        assert (tried["sent"], service.why in tried["detail"]) == (False, True)
        shown = api(erik).get(f"{CHANNELS}{channel.pk}/").json()
        assert service.why in shown["error"]
        assert SECRET not in f"{delivery.error} {tried} {shown} {capfd.readouterr().err}"

    def test_is_not_asked_where_requests_may_not_go(
        self, settings, service, phone, leads_to, make_route, make_alert, enqueue, send
    ):
        make_route(phone())
        settings.PRIVATE_DESTINATIONS = []
        hook = Http(service.taken)
        with serving(hook) as port:
            leads_to(port)
            [delivery] = enqueue(make_alert())
            send()
        delivery.refresh_from_db()
        assert (delivery.state, hook.requests) == (DeliveryState.PENDING, [])
        assert "not a public address" in delivery.error

    def test_keeps_to_itself_an_address_that_the_library_does_not_understand(self, api, erik, service, phone, capfd):
        with everything_logged():
            channel = phone(service.url.replace(SECRET, f"{SECRET}-%21"))
            tried = api(erik).post(f"{CHANNELS}{channel.pk}/test/").json()
        assert (tried["sent"], "does not understand" in tried["detail"]) == (False, True)
        assert SECRET not in f"{tried} {capfd.readouterr().err}"

    def test_is_asked_for_each_of_many_numbers(
        self, settings, service, phone, leads_to, make_route, make_alert, enqueue, send
    ):
        numbers = [f"+491511234567{digit}" for digit in range(8)]
        make_route(phone("/".join([service.url.rpartition("/")[0], *numbers])))
        hook = Http(service.taken)
        with serving(hook) as port:
            leads_to(port)
            [delivery] = enqueue(make_alert())
            send()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.error) == (DeliveryState.SENT, "")
        forms = [parse_qs(body.decode()) for _, _, body in hook.requests]
        assert {f"+{(form.get('to') or form['To'])[0].lstrip('+')}" for form in forms} == set(numbers)
        assert len(forms) == len(numbers)
