"""From the alert to the mail of one person, and back by its link; and an SMS in a channel's own words."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings as django_settings
from django.test import Client

from techtrack.notifications.models import Channel
from tests.integration.notifications.gateways import Http, answer, serving

pytestmark = pytest.mark.usefixtures("transactional_db")
CHANNELS = "/api/channels/"


class TestMail:
    def test_of_a_person_takes_the_alert(self, api, olga, make_route, make_alert, enqueue, send, mailbox):
        body = {"name": "Mine", "kind": "email", "config": {"to": ["olga@plant.example"]}, "personal": True}
        assert api(olga).post(CHANNELS, body, format="json").status_code == 201
        make_route(people=[olga.pk])
        alert = make_alert()
        enqueue(alert)
        send()
        [mail] = mailbox.messages
        assert mail["To"] == "olga@plant.example"
        text = mail.get_body(["plain"]).get_content()
        (path,) = re.findall(rf"{re.escape(django_settings.PUBLIC_URL)}(/acknowledge/\S+)", text)
        assert path in mail.get_body(["html"]).get_content()
        assert Client().get(path).status_code == 200
        alert.refresh_from_db()
        assert alert.acknowledged_at is None
        assert Client().post(path).status_code == 200
        alert.refresh_from_db()
        assert alert.acknowledged_by == olga

    def test_of_a_shared_channel_leads_to_the_page(self, make_channel, make_route, make_alert, enqueue, send, mailbox):
        make_route(make_channel("shift"))
        alert = make_alert()
        enqueue(alert)
        send()
        [mail] = mailbox.messages
        assert "/acknowledge/" not in mail.as_string()
        assert f"/alerts/{alert.pk}/" in mail.get_body(["html"]).get_content()


class TestSms:
    def test_goes_out_in_the_channels_own_words(
        self, api, erik, plant, settings, make_route, make_alert, enqueue, send
    ):
        settings.PRIVATE_DESTINATIONS = ["127.0.0.1"]
        gateway = Http(answer("202 Accepted"))
        with serving(gateway) as port:
            body = {
                "name": "Phone",
                "kind": "sms_gateway",
                "site": plant.pk,
                "config": {
                    "to": ["+4915112345678"],
                    "url": f"http://127.0.0.1:{port}/send",
                    "headers": {"Authorization": "Bearer {{ token }}"},
                    "secrets": {"token": "t0ken-of-the-gateway"},
                },
                "body_template": "{{ severity }}: {{ title }} ({{ value }}) µ",
            }
            made = api(erik).post(CHANNELS, body, format="json")
            assert made.status_code == 201, made.json()
            make_route(Channel.objects.get())
            [delivery] = enqueue(make_alert(title="Too hot"))
            send()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.error) == ("sent", "")
        [(_, headers, sent)] = gateway.requests
        assert headers["authorization"] == "Bearer t0ken-of-the-gateway"
        text = json.loads(sent)["text"]
        assert text.startswith("high: Too hot (91.5")
        assert " u http" in text
        assert text.endswith(f"/alerts/{delivery.alert_id}/")
