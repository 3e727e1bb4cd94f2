"""Webhooks, SMS gateways and Apprise over the wire: what the other side gets, and what its answers mean."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from techtrack.core import outgoing
from techtrack.notifications.domain.message import Message, compose
from techtrack.notifications.domain.payload import alertmanager
from techtrack.notifications.domain.sms import BASIC, EXTENSION, septets
from techtrack.notifications.domain.transport import NotDelivered, build
from techtrack.notifications.transports import apprise as apprise_transport
from tests.integration.notifications.gateways import Authority, Http, answer, drip, reset, serving
from tests.integration.notifications.test_email import FACTS, GENEROUS, ID

KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OK = answer("200 OK", b"queued as 17")
MESSAGE = replace(compose(FACTS), group="g1", receiver="Shift")


@pytest.fixture(autouse=True)
def _loopback(settings):
    settings.PRIVATE_DESTINATIONS = ["127.0.0.1"]
    settings.HTTP_TIMEOUT = 1


def send(kind, config, message=MESSAGE):
    """Send within GENEROUS seconds, or fail."""
    results = []

    def run():
        try:
            results.append(build(kind, config).send(message, ID))
        except BaseException as error:  # noqa: BLE001 - raised again below
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(GENEROUS)
    assert results, "it does not end"
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


class TestWebhook:
    def test_posts_signed_json(self):
        hook = Http(OK)
        with serving(hook) as port:
            said = send(
                "webhook", {"url": f"http://127.0.0.1:{port}/hook?a=b", "secret": KEY, "headers": {"X-Plant": "7"}}
            )
        assert said == "It was taken: 200 OK: queued as 17"
        (line, headers, body), *rest = hook.requests
        assert rest == []
        assert line == "POST /hook?a=b HTTP/1.1"
        assert (headers["webhook-id"], headers["content-type"], headers["x-plant"]) == (ID, "application/json", "7")
        content = Verifier(KEY).verify(body, headers)
        assert content["type"] == "alert.raised"
        assert (content["data"]["status"], content["data"]["channel"], content["data"]["group"]) == (
            "firing",
            "Shift",
            "g1",
        )
        assert content["data"]["alerts"][0]["title"] == "Too hot — µ"

    def test_signature_does_not_fit_another_body(self):
        hook = Http(OK)
        with serving(hook) as port:
            send("webhook", {"url": f"http://127.0.0.1:{port}/", "secret": KEY})
        _, headers, body = hook.requests[0]
        with pytest.raises(WebhookVerificationError):
            Verifier(KEY).verify(body.replace(b"91.5", b"19.5"), headers)

    def test_posts_what_the_alertmanager_posts(self, settings):
        settings.PUBLIC_URL = "https://plant.example"
        hook = Http(OK)
        with serving(hook) as port:
            send("webhook", {"url": f"http://127.0.0.1:{port}/", "body": "alertmanager"})
        labels = {"alertname": "Too hot — µ", "severity": "high", "site": "Plant", "asset": "Robot 7"}
        labels |= {"parameter": "temperature", "alert": "7"}
        notes = {"summary": "[HIGH] Too hot — µ: Robot 7 (Plant)", "description": "Too hot — µ"}
        notes |= {"value": "91.5 °C", "limit": "80 °C"}
        content = json.loads(hook.requests[0][2])
        fingerprint = content["alerts"][0].pop("fingerprint")
        assert content == {
            "version": "4",
            "groupKey": "g1",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "Shift",
            "groupLabels": labels,
            "commonLabels": labels,
            "commonAnnotations": notes,
            "externalURL": "https://plant.example",
            "alerts": [
                {
                    "status": "firing",
                    "labels": labels,
                    "annotations": notes,
                    "startsAt": "2026-11-22T12:00:00Z",
                    "endsAt": "0001-01-01T00:00:00Z",
                    "generatorURL": "https://plant.example/alerts/7/",
                }
            ],
        }
        assert len(fingerprint) == 16
        assert int(fingerprint, 16)

    def test_alertmanager_form_keeps_common_what_all_have(self):
        later = replace(
            FACTS, event="returned", returned_at=datetime(2026, 11, 22, 13, tzinfo=UTC), alert=8, severity="low"
        )
        content = alertmanager(compose([FACTS, later]), public_url="https://plant.example")
        assert set(content["commonLabels"]) == {"alertname", "site", "asset", "parameter"}
        assert [(alert["status"], alert["endsAt"]) for alert in content["alerts"]] == [
            ("firing", "0001-01-01T00:00:00Z"),
            ("resolved", "2026-11-22T13:00:00Z"),
        ]

    def test_alertmanager_form_keeps_the_fingerprint_of_an_alert_that_gets_graver(self):
        def fingerprint(**changes):
            return alertmanager(compose(replace(FACTS, **changes)), public_url="")["alerts"][0]["fingerprint"]

        assert fingerprint(severity="critical", event="severity_changed") == fingerprint()
        assert fingerprint(alert=8) != fingerprint()

    @pytest.mark.parametrize(
        ("status", "retry"),
        [
            *(
                ("400 Bad Request", False),
                ("401 Unauthorized", True),
                ("403 Forbidden", True),
                ("404 Not Found", False),
                ("410 Gone", False),
            ),
            *(("408 Timeout", True), ("429 Too Many", True), ("500 Broken", True), ("503 Away", True)),
            *(("302 Found", False), ("308 Moved", False), ("204 No Content", None), ("202 Accepted", None)),
        ],
    )
    def test_takes_the_status_for_the_answer(self, status, retry):
        with serving(
            Http(answer(status, b"because" if status[0] != "2" else b"", "Location: http://127.0.0.1:1/"))
        ) as port:
            config = {"url": f"http://127.0.0.1:{port}/"}
            if retry is None:
                assert send("webhook", config).startswith(f"It was taken: {status}")
                return
            with pytest.raises(NotDelivered) as caught:
                send("webhook", config)
        assert caught.value.retry is retry
        assert status in caught.value.detail

    def test_repeats_no_secret_that_the_other_side_repeats(self):
        with serving(Http(answer("401 No s3cr3t-t0ken", b"I do not know Bearer s3cr3t-t0ken"))) as port:
            config = {"url": f"http://127.0.0.1:{port}/", "headers": {"Authorization": "Bearer s3cr3t-t0ken"}}
            with pytest.raises(NotDelivered) as caught:
                send("webhook", config)
        assert caught.value.detail == "the answer was 401 No ***: I do not know ***"

    @pytest.mark.parametrize("before", [0, 780, 795, 65_530])
    def test_repeats_no_part_of_a_secret_wherever_it_stands(self, before):
        body = b"s3cr3t-t0ken" * 70 + b"." * before + b"s3cr3t-t0ken"
        with serving(Http(answer("401 No", body))) as port:
            config = {"url": f"http://127.0.0.1:{port}/", "headers": {"Authorization": "Bearer s3cr3t-t0ken"}}
            with pytest.raises(NotDelivered) as caught:
                send("webhook", config)
        assert "s3cr" not in caught.value.detail

    def test_writes_its_own_headers_once(self):
        hook = Http(OK)
        theirs = {"content-type": "text/plain", "WEBHOOK-ID": "1", "user-agent": "Plant"}
        with serving(hook) as port:
            send("webhook", {"url": f"http://127.0.0.1:{port}/", "headers": theirs})
        assert [name.lower() for name in hook.names if name.lower() in theirs or name == "webhook-id"] == [
            "user-agent",
            "content-type",
            "webhook-id",
        ]
        _, headers, _ = hook.requests[0]
        assert (headers["content-type"], headers["webhook-id"]) == ("application/json", ID)
        assert headers["user-agent"] == "Plant"

    @pytest.mark.parametrize("speak", [pytest.param(drip, id="drips"), pytest.param(reset, id="breaks off")])
    def test_waits_for_a_server_that_misbehaves(self, speak):
        with serving(speak) as port, pytest.raises(NotDelivered) as caught:
            send("webhook", {"url": f"http://127.0.0.1:{port}/"})
        assert caught.value.retry is True

    def test_is_checked_again_when_it_is_sent(self, settings):
        hook = Http(OK)
        with serving(hook) as port:
            settings.PRIVATE_DESTINATIONS = []
            with pytest.raises(NotDelivered, match="not a public address") as caught:
                send("webhook", {"url": f"http://127.0.0.1:{port}/"})
        assert (caught.value.retry, hook.requests) == (True, [])

    def test_goes_encrypted_to_the_host_that_the_certificate_names(self, tmp_path, monkeypatch, settings):
        settings.PRIVATE_DESTINATIONS = ["localhost"]
        authority = Authority(tmp_path)
        monkeypatch.setattr(outgoing, "tls", lambda: ssl.create_default_context(cafile=str(authority.file)))
        hook = Http(OK)
        with serving(hook, tls=authority.server("localhost")) as port:
            send("webhook", {"url": f"https://localhost:{port}/"})
        with serving(hook, tls=authority.server("other.example")) as port, pytest.raises(NotDelivered) as caught:
            send("webhook", {"url": f"https://localhost:{port}/"})
        assert "certificate is not trusted" in caught.value.detail
        assert len(hook.requests) == 1


def gateway(port, **changes):
    return {"to": ["+4915112345678"], "url": f"http://127.0.0.1:{port}/send", **changes}


class TestSmsGateway:
    def test_posts_json(self):
        hook = Http(OK)
        with serving(hook) as port:
            said = send(
                "sms_gateway", gateway(port, headers={"Authorization": "Bearer {{ key }}"}, secrets={"key": "k1"})
            )
        assert said == "It was taken: 200 OK: queued as 17"
        line, headers, body = hook.requests[0]
        assert (line, headers["content-type"], headers["authorization"]) == (
            "POST /send HTTP/1.1",
            "application/json",
            "Bearer k1",
        )
        content = json.loads(body)
        assert content == {
            "to": "+4915112345678",
            "text": "[HIGH] Too hot - u: Robot 7 (Plant): 91.5 C, limit 80 C 22 Nov 12:00 https://plant.example/alerts/7/",
        }
        assert set(content["text"]) <= BASIC | EXTENSION
        assert septets(content["text"]) <= 160

    def test_posts_a_form(self):
        hook = Http(answer("202 Accepted"))
        body = {"To": "{{ to }}", "Body": "{{ text }} & more", "Ref": "{{ id }}", "Parts": 1}
        with serving(hook) as port:
            send("sms_gateway", gateway(port, format="form", body=body))
        _, headers, sent = hook.requests[0]
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        form = {name: value for name, [value] in parse_qs(sent.decode(), strict_parsing=True).items()}
        assert (form["To"], form["Ref"], form["Parts"]) == ("+4915112345678", ID, "1")
        assert form["Body"].endswith("/alerts/7/ & more")

    def test_asks_by_address_alone(self):
        hook = Http(OK)
        url = "/send?to={{ to }}&text={{ text }}&key={{ key }}"
        with serving(hook) as port:
            send(
                "sms_gateway",
                gateway(port, method="GET", url=f"http://127.0.0.1:{port}{url}", secrets={"key": "a&b=c"}),
            )
        line, _, body = hook.requests[0]
        method, target, _ = line.split(" ")
        query = parse_qs(target.partition("?")[2], strict_parsing=True)
        assert (method, body, query["key"], query["to"]) == ("GET", b"", ["a&b=c"], ["+4915112345678"])
        assert query["text"][0].startswith("[HIGH] Too hot - u")

    def test_lets_no_value_break_out_of_its_place(self):
        hook = Http(OK)
        message = replace(MESSAGE, subject='"}\r\nX-Evil: 1', short='","to":"+1')
        with serving(hook) as port:
            send("sms_gateway", gateway(port, headers={"X-Subject": "{{ subject }}"}), message)
        _, headers, body = hook.requests[0]
        assert "x-evil" not in headers
        assert set(json.loads(body)) == {"to", "text"}
        assert json.loads(body)["to"] == "+4915112345678"

    def test_takes_only_the_statuses_that_are_named(self):
        with serving(Http(answer("202 Accepted", b"maybe"))) as port, pytest.raises(NotDelivered, match="202 Accepted"):
            send("sms_gateway", gateway(port, success=[200]))

    @pytest.mark.parametrize("body", [b'{"status": "0"}', b'{"status":"0","left":"7"}'])
    def test_takes_an_answer_that_contains_what_it_must(self, body):
        with serving(Http(answer("200 OK", body))) as port:
            assert send("sms_gateway", gateway(port, answer='"status":"0"')).startswith("It was taken: 200 OK")

    @pytest.mark.parametrize(("status", "body"), [("200 OK", b'{"status": "6"}'), ("500 Away", b'{"status": "0"}')])
    def test_believes_no_other_answer(self, status, body):
        with serving(Http(answer(status, body))) as port, pytest.raises(NotDelivered) as caught:
            send("sms_gateway", gateway(port, answer='"status": "0"'))
        assert (caught.value.retry, caught.value.detail) == (
            True,
            f"+4915112345678: the answer was {status}: {body.decode()}",
        )

    def test_asks_for_every_number_although_one_is_refused(self):
        hook = Http(answer("422 No Such Number", b"unroutable"), OK)
        with serving(hook) as port, pytest.raises(NotDelivered) as caught:
            send("sms_gateway", gateway(port, to=["+4915112345678", "+4915112345679"]))
        assert caught.value.detail == "+4915112345678: the answer was 422 No Such Number: unroutable"
        assert caught.value.retry is False
        assert len(hook.requests) == 2

    def test_repeats_only_to_numbers_that_have_it_not(self):
        one, two = "+4915112345678", "+4915112345679"
        hook = Http(answer("422 No Such Number"), OK)
        with serving(hook) as port, pytest.raises(NotDelivered) as caught:
            send("sms_gateway", gateway(port, to=[one, two]))
        assert caught.value.reached == {two}
        again = replace(MESSAGE, reached=caught.value.reached)
        hook = Http(answer("422 No Such Number"))
        with serving(hook) as port, pytest.raises(NotDelivered) as caught:
            send("sms_gateway", gateway(port, to=[one, two]), again)
        assert [json.loads(body)["to"] for _, _, body in hook.requests] == [one]
        # It refuses, so it works.
        assert (caught.value.retry, caught.value.reached) == (False, {two})
        with serving(Http(answer("503 Away"))) as port, pytest.raises(NotDelivered) as caught:
            send("sms_gateway", gateway(port, to=[one, two]), again)
        assert (caught.value.retry, caught.value.reached) == (True, set())

    def test_uses_the_text_of_the_channels_own_template(self):
        hook = Http(OK)
        with serving(hook) as port:
            send("sms_gateway", gateway(port), replace(MESSAGE, short="µ to all", link=""))
        assert json.loads(hook.requests[0][2])["text"] == "u to all"


class Taken:
    """What Telegram answers, as the library Requests has it."""

    status_code, content, text, headers = 200, b'{"ok": true}', '{"ok": true}', {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestApprise:
    def test_reaches_a_service(self):
        hook = Http(answer("200 OK", b"{}"))
        with serving(hook) as port:
            assert send("apprise", {"url": f"ntfy://127.0.0.1:{port}/plant"}) == "ntfy took it."
        line, _, body = hook.requests[0]
        assert line.startswith("POST /")
        assert "Robot 7" in body.decode()

    @pytest.mark.parametrize(
        ("status", "retry"), [("404 Not Found", False), ("403 Forbidden", True), ("500 Broken", True)]
    )
    def test_tells_why_a_service_did_not_take_it(self, status, retry):
        with serving(Http(answer(status, b"{}"))) as port, pytest.raises(NotDelivered) as caught:
            send("apprise", {"url": f"ntfy://127.0.0.1:{port}/plant"})
        assert status[:3] in caught.value.detail
        assert caught.value.retry is retry

    def test_connects_nowhere_that_is_not_allowed(self, settings):
        settings.PRIVATE_DESTINATIONS = []
        hook = Http(OK)
        with serving(hook) as port, pytest.raises(NotDelivered, match="not a public address"):
            send("apprise", {"url": f"ntfy://127.0.0.1:{port}/plant"})
        assert hook.requests == []

    def test_follows_no_redirect_even_if_its_address_asks_for_it(self):
        inside, hook = Http(OK), None
        with serving(inside) as hidden:
            hook = Http(answer("302 Found", b"", f"Location: http://127.0.0.1:{hidden}/"))
            with serving(hook) as port, pytest.raises(NotDelivered):
                send("apprise", {"url": f"ntfy://127.0.0.1:{port}/plant?redirect=yes"})
        assert inside.requests == []

    @pytest.mark.parametrize("speak", [pytest.param(drip, id="drips"), pytest.param(reset, id="breaks off")])
    def test_ends_where_a_service_misbehaves(self, speak):
        with serving(speak) as port, pytest.raises(NotDelivered) as caught:
            send("apprise", {"url": f"ntfy://127.0.0.1:{port}/plant"})
        assert caught.value.retry is True

    @pytest.mark.parametrize(
        "scheme", ["slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "tgram://123456789:abcdefg_hijklmnop/1"]
    )
    def test_reads_no_file_whatever_its_address_says(self, scheme, tmp_path, monkeypatch):
        monkeypatch.setattr(apprise_transport, "_names_template", lambda _url: False)
        (tmp_path / "secret.json").write_text('{"text": "secret"}')
        with pytest.raises(NotDelivered, match="a file of this machine"):
            send("apprise", {"url": f"{scheme}/?template={tmp_path}/secret.json"})

    def test_writes_no_broken_tags_to_telegram(self, monkeypatch):
        asked = []
        monkeypatch.setattr("requests.post", lambda *_, **how: asked.append(how["data"]) or Taken())
        send("apprise", {"url": "tgram://123456789:abcdefg_hijklmnop/1"}, Message("P < 3 & Q", "4 < 5 & 6"))
        assert "P &lt; 3 &amp; Q" in asked[0]
        assert "4 &lt; 5 &amp; 6" in asked[0]

    def test_says_that_an_address_is_not_understood(self):
        with pytest.raises(NotDelivered, match="does not understand"):
            send("apprise", {"url": "slack://nothing"})

    def test_is_imported_by_nobody_who_does_not_send(self):
        import subprocess  # noqa: PLC0415 - for this test alone
        import sys  # noqa: PLC0415

        script = (
            "import django, os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'techtrack.config.settings';"
            "django.setup(); from techtrack.notifications.domain.transport import build;"
            "build('apprise', {'url': 'slack://a/b/c'}); print('apprise' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
        assert done.stdout.strip() == "False"


class TestConsole:
    @pytest.mark.parametrize(("form", "words"), [("text", "Asset:     Robot 7"), ("sms", "limit 80 C")])
    def test_says_that_nobody_gets_it(self, form, words, caplog):
        said = send("console", {"form": form})
        assert (
            said
            == "There is no gateway behind this channel: messages are written to the log of the process that sends."
        )
        assert words in caplog.text
