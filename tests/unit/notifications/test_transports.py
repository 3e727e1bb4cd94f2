"""Every transport: its settings, and what is wrong with them."""

from __future__ import annotations

import dataclasses

import pytest

from techtrack.core.errors import Invalid
from techtrack.core.registry import UnknownKind
from techtrack.notifications.domain.transport import bound_of, build, secrets_of, transports
from techtrack.notifications.transports.apprise import ALLOWED
from techtrack.notifications.transports.email import Email

KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SMS = {"to": ["+4915112345678"], "url": "https://sms.example/send"}


class TestTransports:
    def test_are_those_of_the_docs(self):
        assert transports.names() == ["apprise", "console", "email", "sms_gateway", "webhook"]

    @pytest.mark.parametrize("name", transports.names())
    def test_are_frozen_settings_that_can_send(self, name):
        transport = transports.get(name)
        assert dataclasses.is_dataclass(transport)
        assert transport.__dataclass_params__.frozen
        assert callable(transport.send)
        fields = {field.name for field in dataclasses.fields(transport)}
        assert secrets_of(name) | bound_of(name) <= fields

    def test_are_asked_for_by_name(self):
        with pytest.raises(UnknownKind) as caught:
            build("pigeon", {})
        assert caught.value.faults[0].pointer == "/kind"


class TestSettings:
    @pytest.mark.parametrize(
        ("kind", "config"),
        [
            pytest.param("email", {"to": ["tom@plant.example", "root@localhost"]}, id="addresses"),
            pytest.param("webhook", {"url": "https://hook.example/a"}, id="an unsigned webhook"),
            pytest.param(
                "webhook", {"url": "https://hook.example/a", "secret": KEY, "headers": {"X-A": "b"}}, id="signed"
            ),
            pytest.param(
                "webhook", {"url": "https://hook.example", "body": "alertmanager"}, id="for the Alertmanager's"
            ),
            pytest.param("sms_gateway", SMS, id="the least"),
            pytest.param(
                "sms_gateway",
                SMS
                | {
                    "url": "https://sms.example/send?to={{ to }}&key={{ key }}",
                    "method": "GET",
                    "headers": {"Authorization": "Bearer {{ key }}"},
                    "secrets": {"key": "s3cret"},
                    "success": [200, 202],
                    "answer": '"status":"0"',
                },
                id="all of it",
            ),
            pytest.param("sms_gateway", SMS | {"body": {"messages": [{"to": "{{ to }}"}]}}, id="a nested body"),
            pytest.param("apprise", {"url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"}, id="slack"),
            pytest.param("apprise", {"url": "ntfys://ntfy.example/plant"}, id="ntfy"),
            pytest.param("console", {}, id="the console"),
        ],
    )
    def test_are_taken(self, kind, config):
        assert build(kind, config)

    @pytest.mark.parametrize(
        ("config", "pointer"),
        [
            pytest.param([], "/config", id="not an object"),
            pytest.param({}, "/config/to", id="no addresses"),
            pytest.param({"to": []}, "/config/to", id="an empty list"),
            pytest.param({"to": "tom@plant.example"}, "/config/to", id="a text for a list"),
            pytest.param({"to": ["tom@plant.example"] * 51}, "/config/to", id="too many"),
            pytest.param({"to": ["tom@plant.example", "tom"]}, "/config/to/1", id="no host"),
            pytest.param({"to": [7]}, "/config/to/0", id="a number"),
            pytest.param({"to": [None]}, "/config/to/0", id="null"),
            pytest.param({"to": ["Tom <tom@plant.example>"]}, "/config/to/0", id="with a display name"),
            pytest.param({"to": ["tom@plant.example\nBcc: x@y.example"]}, "/config/to/0", id="a forged header"),
            pytest.param({"to": ["tom@plant.example\n"]}, "/config/to/0", id="a trailing break"),
            pytest.param({"to": ["a" * 250 + "@b.example"]}, "/config/to/0", id="too long"),
            pytest.param({"to": ["a@b.example"], "cc": []}, "/config/cc", id="an unknown field"),
        ],
    )
    def test_of_email_name_what_is_wrong(self, config, pointer):
        assert faults("email", config) == [pointer]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"url": "ftp://hook.example/"}, "/config/url", id="not http"),
            pytest.param({"url": "https://user:pw@hook.example/"}, "/config/url", id="a user"),
            pytest.param({"url": 7}, "/config/url", id="a number"),
            pytest.param({"secret": "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}, "/config/secret", id="no prefix"),
            pytest.param({"secret": "whsec_c2hvcnQ="}, "/config/secret", id="a short secret"),
            pytest.param({"secret": "whsec_" + "A" * 120}, "/config/secret", id="a long secret"),
            pytest.param({"secret": "whsec_ä!"}, "/config/secret", id="not base64"),
            pytest.param({"body": "xml"}, "/config/body", id="an unknown body"),
            pytest.param({"headers": {"X A": "b"}}, "/config/headers/X A", id="a blank in a header"),
            pytest.param({"headers": {"X-A": "b\r\nX-B: c"}}, "/config/headers/X-A", id="a forged header"),
            pytest.param({"headers": {"Host": "b"}}, "/config/headers/Host", id="a header of ours"),
            pytest.param({"headers": {"X-A": "ü"}}, "/config/headers/X-A", id="a header beyond ASCII"),
            pytest.param({"headers": {"X-A": "1", "x-a": "2"}}, "/config/headers/X-A", id="a header twice"),
        ],
    )
    def test_of_a_webhook_name_what_is_wrong(self, changes, pointer):
        assert faults("webhook", {"url": "https://hook.example/a"} | changes) == [pointer]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"to": []}, "/config/to", id="nobody"),
            pytest.param({"to": ["015112345678"]}, "/config/to/0", id="no country"),
            pytest.param({"to": ["+49 151 12345678"]}, "/config/to/0", id="blanks"),
            pytest.param({"to": ["+4915112345678", "+49123"]}, "/config/to/1", id="too short to be one"),
            pytest.param({"to": ["+999123456789"]}, "/config/to/0", id="no such country"),
            pytest.param({"to": ["+1234567890123456789"]}, "/config/to/0", id="too long"),
            pytest.param({"to": ["+４９15112345678"]}, "/config/to/0", id="full-width digits"),  # noqa: RUF001
            pytest.param({"url": "https://{{ to }}.example/"}, "/config/url", id="a host that varies"),
            pytest.param({"url": "https://sms.example:{{ id }}/"}, "/config/url", id="a port that varies"),
            pytest.param(
                {"url": "https://sms.example/{{ nmae }}"}, "/config/url", id="an unknown variable in the address"
            ),
            pytest.param({"body": {"a": ["{{ nmae }}"]}}, "/config/body/a/0", id="one in the body"),
            pytest.param({"headers": {"X-A": "{{ nmae }}"}}, "/config/headers/X-A", id="one in a header"),
            pytest.param({"secrets": {"to": "x"}}, "/config/secrets/to", id="a secret that hides a variable"),
            pytest.param({"secrets": {"A b": "x"}}, "/config/secrets/A b", id="a secret without a name"),
            pytest.param({"format": "form", "body": {"a": ["b"]}}, "/config/body", id="a list in a form"),
            pytest.param({"success": [404]}, "/config/success/0", id="a refusal as success"),
            pytest.param({"method": "DELETE"}, "/config/method", id="an odd method"),
        ],
    )
    def test_of_an_sms_gateway_name_what_is_wrong(self, changes, pointer):
        assert faults("sms_gateway", SMS | changes) == [pointer]

    def test_of_an_sms_gateway_refuse_a_body_that_is_too_deep(self):
        body: dict[str, object] = {"a": "{{ to }}"}
        for _ in range(20):
            body = {"a": body}
        with pytest.raises(Invalid):
            build("sms_gateway", SMS | {"body": body})

    @pytest.mark.parametrize(
        "url",
        [
            *("", "slack", "slack://", "slack://a b", "file:///tmp/x", "windows://", "dbus://", "syslog://", "json://x"),
            *("xml://x", "form://x", "mailto://a:b@c.example", "exec://ls", "http://x", "https://x", "gnome://", "slack://ä"),
        ],
    )  # fmt: skip
    def test_of_apprise_let_only_known_services_in(self, url):
        assert faults("apprise", {"url": url}) == ["/config/url"]

    @pytest.mark.parametrize(
        "query", ["template=/etc/passwd", "a=b&TEMPLATE=file:///x", "%74emplate=http://a.example/"]
    )
    def test_of_apprise_let_no_file_be_read(self, query):
        workflow = f"workflow://h.example:443/{'a' * 32}/{'b' * 43}/"
        assert faults("apprise", {"url": f"{workflow}?{query}"}) == ["/config/url"]

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_of_apprise_are_services_that_it_has(self):
        apprise = pytest.importorskip("apprise")
        known = set(apprise.manager_plugins.NotificationManager().schemas())
        assert known >= ALLOWED


def faults(kind: str, config: object) -> list[str]:
    with pytest.raises(Invalid) as caught:
        build(kind, config)
    return [fault.pointer for fault in caught.value.faults]


def test_an_email_is_what_its_settings_say():
    assert build("email", {"to": ["a@b.example"]}) == Email(to=["a@b.example"])
