"""OpenAQ's own Python package reads a running platform, over TLS as it insists, and as the page on air sensors says."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.campaigns.telling_certificates import Certificates
from tests.plugins.platform import ROOT

openaq = pytest.importorskip("openaq", reason="missing on this machine: openaq (requirements/dev.in)")
PAGE = (ROOT / "docs" / "how-to" / "connect-air-sensors.md").read_text(encoding="utf-8")
_numbers = count(1)


@pytest.fixture
def secured(platform, tmp_path, monkeypatch) -> Iterator[str]:
    """The platform behind a proxy that ends TLS, with an authority that this process trusts; its address."""
    certificates = Certificates(tmp_path / "certificates")
    target = urlsplit(platform.url)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            behind = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
            behind.request("GET", self.path, headers=dict(self.headers.items()))
            answer = behind.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            behind.close()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.socket = certificates.context(good=True).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def key(platform) -> str:
    """A key that reads."""
    return str(platform.call("POST", "/api/keys/", json={"name": "reader", "scope": "read"}).json()["key"])


@pytest.fixture
def roof(platform) -> dict[str, Any]:
    """A sensor with readings of two hours, a quarter apart: 1 to 8 µg/m³, the fourth marked as bad."""
    declared = [{"code": "pm2_5", "unit": "ug/m3"}]
    kind = {"slug": f"air-{next(_numbers)}", "name": "Air", "parameters": declared, "expected_interval": "PT15M"}
    assert platform.call("POST", "/api/asset-types/", json=kind).status_code == 201
    place = {"latitude": -33.86, "longitude": 151.21}
    wanted = {"name": f"Roof {next(_numbers)}", "type": kind["slug"], "location": place}
    sensor = platform.call("POST", "/api/sensors/", json=wanted).json()
    items = [
        {
            "sensor": sensor["id"],
            "timestamp": f"2026-03-01T{8 + n // 4:02}:{n % 4 * 15:02}:00Z",
            "values": {"pm2_5": n + 1},
        }
        for n in range(8)
    ]
    assert platform.call("POST", "/api/measurements/", json={"items": items}).status_code == 201
    mark = {"sensor": sensor["id"], "parameter": "pm2_5", "from": "2026-03-01T08:45:00Z", "to": "2026-03-01T08:46:00Z"}
    marked = platform.call("POST", "/api/measurements/quality/", json=mark | {"quality": "bad", "reason": "test"})
    assert marked.status_code == 201, marked.text
    return sensor


@pytest.fixture
def client(secured, key) -> Iterator[Any]:
    """The package, with its base URL set to ours."""
    with openaq.OpenAQ(
        api_key="0" * 64, headers={"Authorization": f"Api-Key {key}"}, base_url=f"{secured}/v3/"
    ) as made:
        yield made


class TestPackage:
    def test_finds_locations_and_their_sensors(self, client, roof):
        found = client.locations.list(coordinates=(-33.861, 151.211), radius=1000, parameters_id=2)
        assert found.meta.found == len(found.results)
        (location,) = [one for one in found.results if one.id == roof["id"]]
        assert (location.name, location.timezone, location.provider.name) == (roof["name"], "UTC", "TechTrack")
        assert (location.coordinates.latitude, location.coordinates.longitude) == (-33.86, 151.21)
        assert [(one.parameter.id, one.parameter.name, one.parameter.units) for one in location.sensors] == [
            (2, "pm25", "µg/m³")
        ]
        assert location.datetime_last.utc == "2026-03-01T09:45:00Z"
        assert found.headers.x_ratelimit_remaining > 0
        assert client.locations.get(roof["id"]).results[0] == client.locations.get(roof["id"]).results[0]

    def test_reads_measurements_hours_and_days(self, client, roof):
        (sensor,) = client.locations.sensors(roof["id"]).results
        assert client.sensors.get(sensor.id).results[0].latest.value == 8.0
        raw = client.measurements.list(sensor.id, "measurements")
        assert [one.value for one in raw.results] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
        assert raw.meta.found == 8
        hours = client.measurements.list(sensor.id, "hours", datetime_from="2026-03-01T08:00:00Z").results
        assert [one.value for one in hours] == [2.0, 6.5]
        assert (hours[0].summary.min, hours[0].summary.max, hours[0].coverage.percent_complete) == (1.0, 3.0, 75.0)
        assert hours[0].period.datetime_to.utc == "2026-03-01T09:00:00Z"
        for data, rollup in (("days", None), ("hours", "daily"), ("measurements", "daily"), ("days", "monthly")):
            (day,) = client.measurements.list(sensor.id, data, rollup).results
            assert day.value == pytest.approx(32 / 7)
        (day,) = client.measurements.list(sensor.id, "days", date_from="2026-03-01", date_to="2026-03-02").results
        assert day.period.label == "1day"

    def test_reads_parameters_and_what_is_newest(self, client, roof):
        assert client.parameters.get(2).results[0].name == "pm25"
        assert "pm25" in {one.name for one in client.parameters.list(parameter_type="pollutant").results}
        newest = {one.locations_id: one.value for one in client.parameters.latest(2).results}
        assert newest[roof["id"]] == 8.0
        assert [one.value for one in client.locations.latest(roof["id"]).results] == [8.0]

    def test_is_told_in_its_own_words_what_is_wrong(self, client):
        with pytest.raises(openaq.NotFoundError):
            client.locations.get(2_000_000_000)
        with pytest.raises(openaq.ValidationError):
            client.locations.list(order_by="password")

    def test_is_not_let_in_without_a_key_of_ours(self, secured):
        with (
            openaq.OpenAQ(api_key="0" * 64, base_url=f"{secured}/v3/") as stranger,
            pytest.raises(openaq.NotAuthorizedError),
        ):
            stranger.locations.list()


def test_the_page_shows_a_script_that_works(secured, key, roof):
    (text,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    env = os.environ | {"PLANT": secured, "READ": key}
    done = subprocess.run(
        [sys.executable, "-c", text], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert f"{roof['name']} pm25 [2.0, 6.5]" in done.stdout
