"""Secrets, templates and owners of channels, and trying one out."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from django.db import connection

from techtrack.core import clock
from techtrack.core.sealing import Unreadable
from techtrack.notifications import jobs, services
from techtrack.notifications.models import Channel
from techtrack.notifications.services import trying
from tests import factories
from tests.integration.notifications.gateways import Http, Smtp, answer, serving

CHANNELS = "/api/channels/"
KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OTHER_KEY = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
CANARY = "c4n4ry-7f3a"


def pointers(reply):
    return [error["pointer"] for error in reply.json()["errors"]]


@pytest.fixture(autouse=True)
def _names(monkeypatch, settings):
    """Names are looked up here and nowhere else; loopback is allowed."""
    settings.PRIVATE_DESTINATIONS = ["127.0.0.1"]
    known = {"hook.example": "8.8.8.8", "other.example": "1.1.1.1", "inside.example": "10.1.2.3"}
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **options):
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host], port))]
        if str(host).endswith(".example"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def client(api, erik):
    return api(erik)


@pytest.fixture
def make(client, plant):
    """``make("webhook", {…})``: the answer to a POST of an engineer."""

    def post(kind, config, **fields):
        body = {"name": "C", "kind": kind, "config": config, "site": plant.pk, **fields}
        return client.post(CHANNELS, body, format="json")

    return post


WEBHOOK = {"url": "https://hook.example/a", "secret": KEY, "headers": {"Authorization": f"Bearer {CANARY}"}}
GATEWAY = {
    "to": ["+4915112345678"],
    "url": "https://hook.example/send?key={{ key }}",
    "headers": {"X-Key": CANARY},
    "secrets": {"key": CANARY},
}
APPRISE = {"url": f"slack://T1JJ3T3L2/A1BRTD4JD/{CANARY}TIiajkdnlazkcO/"}


class TestSecrets:
    @pytest.mark.parametrize(("kind", "config"), [("webhook", WEBHOOK), ("sms_gateway", GATEWAY), ("apprise", APPRISE)])
    def test_are_never_shown_and_never_lie_open(self, client, make, kind, config):
        made = make(kind, config)
        assert made.status_code == 201, made.json()
        url = f"{CHANNELS}{made.json()['id']}/"
        for reply in (made, client.get(url), client.get(CHANNELS), client.patch(url, {"name": "D"}, format="json")):
            assert CANARY not in reply.content.decode()
            assert KEY not in reply.content.decode()
        with connection.cursor() as cursor:
            cursor.execute("SELECT config FROM notifications_channel")
            [[stored]] = cursor.fetchall()
        assert CANARY not in str(stored)
        assert KEY not in str(stored)

    def test_are_masked_and_the_rest_is_not(self, make):
        assert make("webhook", WEBHOOK).json()["config"] == {
            "url": "https://hook.example/a",
            "secret": "********",
            "body": "techtrack",
            "headers": {"Authorization": "********"},
        }
        assert make("apprise", APPRISE).json()["config"] == {"url": "slack://********"}

    @pytest.mark.parametrize(("kind", "config"), [("webhook", WEBHOOK), ("sms_gateway", GATEWAY), ("apprise", APPRISE)])
    def test_stay_when_what_was_read_is_sent_back(self, client, make, kind, config):
        url = f"{CHANNELS}{make(kind, config).json()['id']}/"
        before = Channel.objects.get().transport()
        body = client.get(url).json()
        assert client.put(url, body, format="json").status_code == 200
        assert client.patch(url, {"config": body["config"]}, format="json").status_code == 200
        assert Channel.objects.get().transport() == before

    def test_are_replaced_one_by_one(self, client, make):
        url = f"{CHANNELS}{make('webhook', WEBHOOK).json()['id']}/"
        reply = client.patch(url, {"config": {"secret": OTHER_KEY, "headers": {"X-New": "n"}}}, format="json")
        assert reply.status_code == 200
        transport = Channel.objects.get().transport()
        assert transport.secret == OTHER_KEY
        assert transport.headers == {"Authorization": f"Bearer {CANARY}", "X-New": "n"}

    @pytest.mark.parametrize(("kind", "config"), [("webhook", WEBHOOK), ("sms_gateway", GATEWAY)])
    def test_do_not_go_along_to_another_address(self, client, make, kind, config):
        url = f"{CHANNELS}{make(kind, config).json()['id']}/"
        reply = client.patch(url, {"config": {"url": "https://other.example/steal"}}, format="json")
        assert reply.status_code == 400
        assert reply.json()["errors"][0]["code"] == "secret_needed"
        assert Channel.objects.get().transport().url == config["url"]
        whole = {**config, "url": "https://other.example/new"}
        assert client.patch(url, {"config": whole}, format="json").status_code == 200

    def test_do_not_go_to_a_telephone_as_the_text(self, client, make):
        url = f"{CHANNELS}{make('sms_gateway', GATEWAY).json()['id']}/"
        stolen = {"to": ["+4915112345679"], "body": {"to": "{{ to }}", "text": "{{ key }}"}}
        reply = client.patch(url, {"config": stolen}, format="json")
        assert reply.status_code == 400
        assert reply.json()["errors"][0]["code"] == "secret_needed"
        assert client.patch(url, {"config": {"to": ["+4915112345679"]}}, format="json").status_code == 200

    def test_that_are_masks_of_nothing_are_refused(self, client, make):
        reply = make("webhook", {**WEBHOOK, "secret": "********"})
        assert (reply.status_code, pointers(reply)) == (400, ["/config/secret"])
        url = f"{CHANNELS}{make('webhook', WEBHOOK).json()['id']}/"
        body = client.get(url).json()
        body["config"]["headers"]["X-New"] = "********"
        reply = client.put(url, body, format="json")
        assert (reply.status_code, pointers(reply)) == (400, ["/config/headers/X-New"])

    def test_sealed_with_another_key_say_so_and_can_be_given_again(self, client, make, settings):
        url = f"{CHANNELS}{make('webhook', WEBHOOK).json()['id']}/"
        old = settings.SECRET_KEY
        settings.SECRET_KEY = "another key, which is long enough for it"
        with pytest.raises(Unreadable):
            Channel.objects.get().transport()
        settings.SECRET_KEY_FALLBACKS = [old]
        assert Channel.objects.get().transport().secret == KEY
        # Written again, it is sealed with the new key.
        assert client.patch(url, {"config": {"body": "alertmanager"}}, format="json").status_code == 200
        settings.SECRET_KEY_FALLBACKS = []
        assert Channel.objects.get().transport().secret == KEY

    def test_are_sealed_anew_with_the_present_key(self, make, settings, caplog):
        for kind, config in (("webhook", WEBHOOK), ("sms_gateway", GATEWAY), ("apprise", APPRISE)):
            make(kind, config)
        before = {channel.pk: channel.transport() for channel in Channel.objects.all()}
        assert services.reseal_channels() == 0
        old, settings.SECRET_KEY = settings.SECRET_KEY, "another key, which is long enough for it"
        settings.SECRET_KEY_FALLBACKS = [old]
        jobs.forget_old()
        assert "the secrets of 3 channels were sealed with an older key" in caplog.text
        assert services.reseal_channels() == 0
        settings.SECRET_KEY_FALLBACKS = []
        assert {channel.pk: channel.transport() for channel in Channel.objects.all()} == before

    def test_that_no_key_opens_stop_none_of_the_others(self, client, make, settings):
        old = settings.SECRET_KEY
        settings.SECRET_KEY = "a key that is gone, long enough for it"
        lost = make("webhook", WEBHOOK).json()["id"]
        settings.SECRET_KEY = old
        make("apprise", APPRISE)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key, which is long enough for it", [old]
        assert services.reseal_channels() == 1
        assert "give the secret again" in client.get(f"{CHANNELS}{lost}/").json()["nowhere"]


class TestAddresses:
    @pytest.mark.parametrize(
        ("kind", "config", "pointer"),
        [
            pytest.param("webhook", {"url": "http://10.0.0.1/"}, "/config/url", id="a private address"),
            pytest.param("webhook", {"url": "http://[::1]/"}, "/config/url", id="this machine"),
            pytest.param("webhook", {"url": "http://169.254.169.254/latest"}, "/config/url", id="a cloud's own"),
            pytest.param("webhook", {"url": "https://inside.example/"}, "/config/url", id="a name for a private one"),
            pytest.param("webhook", {"url": "https://hook.example:22/"}, "/config/url", id="an odd port"),
            pytest.param("sms_gateway", GATEWAY | {"url": "http://10.0.0.1/"}, "/config/url", id="of a gateway"),
            pytest.param("sms_gateway", GATEWAY | {"to": ["+49123"]}, "/config/to/0", id="a number that nobody has"),
        ],
    )
    def test_that_lead_nowhere_good_are_refused_when_saved(self, make, kind, config, pointer):
        reply = make(kind, config)
        assert (reply.status_code, pointers(reply)) == (400, [pointer])
        assert Channel.objects.count() == 0

    @pytest.mark.parametrize("allowed", ["inside.example", "10.0.0.0/8"])
    def test_of_ones_own_network_are_taken_where_a_setting_allows_them(self, make, settings, allowed):
        settings.PRIVATE_DESTINATIONS = [allowed]
        assert make("webhook", {"url": "https://inside.example:9443/"}).status_code == 201

    def test_that_nobody_knows_yet_are_taken(self, make):
        assert make("webhook", {"url": "https://not-yet.example/"}).status_code == 201


class TestTemplates:
    def test_are_kept(self, make):
        templates = {"subject_template": "{{ severity }}: {{ title }}", "body_template": "{{ alerts }}\n{{ link }}"}
        made = make("email", {"to": ["a@b.example"]}, **templates).json()
        assert {name: made[name] for name in templates} == templates

    @pytest.mark.parametrize("name", ["subject_template", "body_template"])
    def test_with_an_unknown_variable_are_refused_with_its_name(self, client, make, name):
        reply = make("email", {"to": ["a@b.example"]}, **{name: "{{ titel }}"})
        assert (reply.status_code, pointers(reply)) == (400, [f"/{name}"])
        [error] = reply.json()["errors"]
        assert error["code"] == "unknown_variable"
        assert "'titel'" in error["detail"]
        assert "severity, since, site" in error["detail"]
        url = f"{CHANNELS}{make('email', {'to': ['a@b.example']}).json()['id']}/"
        assert client.patch(url, {name: "{{ titel }}"}, format="json").status_code == 400


class TestPersonal:
    BODY = {"name": "Mine", "kind": "email", "config": {"to": ["me@b.example"]}, "personal": True}

    def test_channels_are_their_owners_alone(self, api, olga, erik, adam):
        made = api(olga).post(CHANNELS, self.BODY, format="json")
        assert made.status_code == 201
        assert (made.json()["personal"], made.json()["owner"], made.json()["site"]) == (True, olga.pk, None)
        url = f"{CHANNELS}{made.json()['id']}/"
        assert api(olga).patch(url, {"name": "Phone"}, format="json").status_code == 200
        for other in (erik, adam):
            assert api(other).get(url).status_code == 404
            assert api(other).get(CHANNELS).json()["count"] == 0
        assert api(olga).delete(url).status_code == 204

    @pytest.mark.parametrize("who", ["vera", "mallory"])
    def test_channels_need_an_operator(self, api, who, request):
        assert api(request.getfixturevalue(who)).post(CHANNELS, self.BODY, format="json").status_code == 403

    def test_channels_stay_what_they_are(self, api, olga, plant):
        url = f"{CHANNELS}{api(olga).post(CHANNELS, self.BODY, format='json').json()['id']}/"
        for changes, pointer in [({"personal": False}, "/personal"), ({"site": plant.pk}, "/site")]:
            reply = api(olga).patch(url, changes, format="json")
            assert (reply.status_code, pointers(reply)) == (400, [pointer])
        # What was read can be sent back.
        body = api(olga).get(url).json()
        assert api(olga).put(url, body, format="json").status_code == 200

    def test_channels_belong_to_no_site(self, api, erik, plant):
        reply = api(erik).post(CHANNELS, self.BODY | {"site": plant.pk}, format="json")
        assert (reply.status_code, pointers(reply)) == (400, ["/site"])


class TestTrial:
    @pytest.fixture
    def mail(self, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST = "127.0.0.1"
        settings.EMAIL_TIMEOUT = 2
        return settings

    def run(self, client, reply):
        assert reply.status_code == 201, reply.json()
        return client.post(f"{CHANNELS}{reply.json()['id']}/test/")

    def test_tells_that_it_was_taken(self, client, make, mail):
        server = Smtp()
        with serving(server) as mail.EMAIL_PORT:
            reply = self.run(client, make("email", {"to": ["a@b.example"]}))
        assert (reply.status_code, reply.json()) == (
            200,
            {"sent": True, "detail": "The mail server took it: 250 taken"},
        )
        assert b"Subject: [TEST] TechTrack: C" in server.mails[0]
        shown = client.get(CHANNELS).json()["results"][0]
        assert (shown["failing_since"], shown["error"]) == (None, "")
        assert shown["last_sent_at"] is not None

    def test_tells_a_bad_password_in_a_sentence_and_the_channel_shows_it(self, client, make, mail):
        mail.EMAIL_HOST_USER, mail.EMAIL_HOST_PASSWORD = "tom", "wrong"
        script = {"EHLO": b"250-hello\r\n250 AUTH PLAIN", "AUTH": b"535 5.7.8 bad credentials"}
        with serving(Smtp(**script)) as mail.EMAIL_PORT:
            reply = self.run(client, make("email", {"to": ["a@b.example"]}))
        detail = "the mail server refused name or password: 535 5.7.8 bad credentials"
        assert (reply.status_code, reply.json()) == (200, {"sent": False, "detail": detail})
        shown = client.get(CHANNELS).json()["results"][0]
        assert (shown["error"], shown["last_sent_at"]) == (detail, None)
        assert shown["failing_since"] is not None

    def test_tells_an_unroutable_number_in_a_sentence(self, client, make):
        with serving(Http(answer("422 Unprocessable", b'{"error": "unroutable number"}'))) as port:
            reply = self.run(client, make("sms_gateway", GATEWAY | {"url": f"http://127.0.0.1:{port}/"}))
        detail = '+4915112345678: the answer was 422 Unprocessable: {"error": "unroutable number"}'
        assert reply.json() == {"sent": False, "detail": detail}

    def test_tells_an_address_that_became_private(self, client, make, settings):
        with serving(Http(answer("200 OK"))) as port:
            made = make("webhook", {"url": f"http://127.0.0.1:{port}/"})
            settings.PRIVATE_DESTINATIONS = []
            reply = self.run(client, made)
        assert reply.json()["sent"] is False
        assert "127.0.0.1 is not a public address" in reply.json()["detail"]

    def test_sends_a_signed_test_to_a_webhook(self, client, make):
        hook = Http(answer("204 No Content"))
        with serving(hook) as port:
            reply = self.run(client, make("webhook", {"url": f"http://127.0.0.1:{port}/", "secret": KEY}))
        assert reply.json() == {"sent": True, "detail": "It was taken: 204 No Content"}
        content = json.loads(hook.requests[0][2])
        assert (content["type"], content["data"]["alerts"]) == ("alert.test", [])

    def test_says_that_nobody_gets_it_without_a_gateway(self, client, make):
        reply = self.run(client, make("console", {}))
        assert reply.json()["sent"] is True
        assert "There is no gateway behind this channel" in reply.json()["detail"]

    def test_of_an_sms_channel_without_a_gateway_says_so_and_can_be_used_at_once(self, client, make, caplog):
        made = make("sms_gateway", {"to": ["+4915112345678"]})
        said = "No SMS gateway is set (url): texts are written to the log of what sends them, and nobody gets them."
        assert (made.status_code, made.json()["nowhere"]) == (201, said)
        assert self.run(client, made).json() == {"sent": True, "detail": said}
        assert "to +4915112345678, to nobody but this log: TechTrack: test of the channel C" in caplog.text
        delivery = factories.make_delivery(Channel.objects.get(), site=Channel.objects.get().site)
        assert jobs.send(services.claim_next(channel_id=delivery.channel_id, now=clock.now()))
        shown = client.get("/api/deliveries/").json()["results"][0]
        assert (shown["id"], shown["state"], shown["answer"]) == (str(delivery.pk), "sent", said)
        # Once a gateway is set, it goes there.
        url = f"{CHANNELS}{made.json()['id']}/"
        reply = client.patch(url, {"config": {"url": "https://hook.example/send"}}, format="json")
        assert (reply.status_code, reply.json()["nowhere"]) == (200, "")

    def test_of_a_mail_channel_without_a_server_says_so(self, client, make, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
        said = make("email", {"to": ["a@b.example"]}).json()["nowhere"]
        assert said == "No mail server is set (EMAIL_URL): messages are written to the console, and nobody gets them."

    @pytest.mark.parametrize(("who", "status"), [("olga", 403), ("vera", 404), ("mallory", 404), ("oscar", 404)])
    def test_is_for_those_who_may_edit_the_channel(self, api, make, who, status, request):
        pk = make("console", {}).json()["id"]
        assert api(request.getfixturevalue(who)).post(f"{CHANNELS}{pk}/test/").status_code == status

    def test_is_made_once_at_a_time(self, client, make):
        pk = make("console", {}).json()["id"]
        trying._trying.add(pk)
        try:
            reply = client.post(f"{CHANNELS}{pk}/test/")
        finally:
            trying._trying.discard(pk)
        assert (reply.status_code, reply.json()["code"]) == (503, "being_tried")
        assert client.post(f"{CHANNELS}{pk}/test/").status_code == 200

    def test_that_breaks_is_a_sentence_too(self, client, make, monkeypatch):
        made = make("console", {})
        from techtrack.notifications.transports.console import Console  # noqa: PLC0415 - for this test alone

        def broken(*_):
            raise RuntimeError("a plug-in's own")

        monkeypatch.setattr(Console, "send", broken)
        assert self.run(client, made).json() == {
            "sent": False,
            "detail": "the transport broke: RuntimeError: a plug-in's own",
        }

    @pytest.mark.parametrize("worked", [True, False], ids=["that works", "that never worked"])
    def test_that_fails_says_so_of_a_channel(self, client, make, worked):
        with serving(Http(answer("503 Away"))) as port:
            made = make("webhook", {"url": f"http://127.0.0.1:{port}/"})
            Channel.objects.update(last_sent_at=clock.now() if worked else None)
            self.run(client, made)
        channel = Channel.objects.get()
        assert (channel.failing_since is None) is worked
        assert channel.error == f"{'a test failed: ' if worked else ''}the answer was 503 Away"

    def test_that_fails_does_not_mend_a_channel_that_fails(self, client, make):
        began = clock.now()
        with serving(Http(answer("503 Away"))) as port:
            made = make("webhook", {"url": f"http://127.0.0.1:{port}/"})
            Channel.objects.update(last_sent_at=began, failing_since=began, retry_at=began, failures=3)
            self.run(client, made)
        channel = Channel.objects.get()
        assert (channel.failing_since, channel.retry_at, channel.failures) == (began, began, 3)

    def test_frees_what_waits_for_the_channel(self, client, make):
        made = make("console", {})
        now = clock.now()
        Channel.objects.update(failures=5, retry_at=now, failing_since=now, error="away")
        self.run(client, made)
        assert Channel.objects.values_list("failures", "retry_at", "failing_since", "error").get() == (
            0,
            None,
            None,
            "",
        )


def test_nothing_of_a_test_runs_on():
    assert not [thread for thread in threading.enumerate() if thread.name == "outgoing"]
