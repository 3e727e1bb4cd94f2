"""History and newest values by the direct door and by the long way through Django: the same answers and refusals."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.contract.callers import MARK, Caller, World, eventually, logged_in

SPAN = "from=2026-07-01T00:00:00Z&to=2026-07-03T00:00:00Z"
# Headers in which the ways differ: DRF names the methods and what an answer depends on; pages get a policy.
OURS = {"content-type", "content-length", "cache-control", "etag", "www-authenticate", "x-content-type-options"}
PATHS = [
    f"/api/history/?asset={{robot}}&{SPAN}",
    f"/api/history?asset={{robot}}&{SPAN}&interval=PT1H&statistic=avg,p95,stddev,twa,completeness&fill=null",
    f"/api/history/?asset=robot-{{mark}},{{station}}&{SPAN}&interval=P1D&timezone=Asia/Kolkata",
    f"/api/history/?asset={{robot}}&{SPAN}&downsample=lttb&points=10",
    f"/api/history/?asset={{robot}}&from={quote('2026-07-01T00:00:00+02:00')}&to=2026-07-02T00:00:00Z",
    f"/api/equipment/{{robot}}/history/?{SPAN}&parameter=t",
    f"/api/sensors/{{station}}/history?{SPAN}",
    "/api/equipment/{robot}/latest/",
    "/api/sensors/{station}/latest/",
    "/api/latest/?site={plant}",
    "/api/latest/?asset=robot-{mark},{station}&parameter=t",
    "/api/latest/?type=robot-{mark}",
    # What is refused.
    f"/api/history/?{SPAN}",
    f"/api/history/?asset={{foreign}}&{SPAN}",
    f"/api/history/?asset={{robot}},{{foreign}}&{SPAN}",
    f"/api/history/?asset={{robot}}&{SPAN}&interval=PT0S",
    f"/api/history/?asset={{robot}}&{SPAN}&colour=red",
    f"/api/history/?asset={{robot}}&asset={{robot}}&{SPAN}",
    f"/api/history/?asset={{robot}}&{SPAN}&parameter=%00",
    f"/api/history/?asset={{robot}}&{SPAN}&parameter=%ff%fe",
    f"/api/history/?asset={{robot}}&{SPAN}&downsample=lttb&fill=null",
    "/api/history/?asset={robot}&from=yesterday",
    "/api/history/?asset={robot}&from=2026-07-02T00:00:00Z&to=2026-07-01T00:00:00Z",
    f"/api/equipment/{{station}}/history/?{SPAN}",
    f"/api/equipment/99999999999999999999999/history/?{SPAN}",
    f"/api/equipment/x/history/?{SPAN}",
    "/api/equipment/{foreign}/latest/",
    "/api/equipment/{robot}/latest/?x=1",
    "/api/latest/?asset=9999999",
    "/api/latest/?site=zero",
]


@pytest.fixture(scope="module", autouse=True)
def measured(world: World) -> None:
    """Two days of two parameters, every ten minutes."""
    times = [f"2026-07-0{day}T{hour:02}:{minute:02}:00Z" for day in (1, 2) for hour in range(24) for minute in (0, 30)]
    items = [{"asset": f"robot-{MARK}", "timestamp": time, "values": {"t": i, "u": -i}} for i, time in enumerate(times)]
    items += [{"asset": world.names["station"], "timestamp": time, "values": {"pm2_5": 3.5}} for time in times[:5]]
    assert world.olga("POST", "/api/ingest/", {"items": items}).status_code == 200


def ask(caller: Caller, path: str, *, long_way: bool, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Ask by one of the ways: a header that comes twice is for Django."""
    caller.stay_logged_in()
    place = urlsplit(caller.url)
    line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    line.putrequest("GET", path)
    more = [("X-Twice", "1"), ("X-Twice", "2")] if long_way else []
    for name, value in [*caller.headers.items(), *headers.items(), *more]:
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    raw = answer.read()
    told = {name.lower(): value for name, value in answer.getheaders()}
    line.close()
    assert ("vary" in told) == long_way, "it went the other way"
    body = json.loads(raw) if raw else None
    if isinstance(body, dict):
        body.pop("request_id", None)
    return answer.status, {name: value for name, value in told.items() if name in OURS}, body


@pytest.mark.parametrize("path", PATHS)
def test_tells_the_same(world, path):
    path = world.at(path)
    if "/x/" in path:
        # No address of its own: it goes to Django by itself.
        assert world.vera("GET", path).status_code == 404
        return
    told = [ask(world.vera, path, long_way=long_way) for long_way in (False, True)]
    assert told[0] == told[1]
    assert told[0][0] in {200, 400, 404}


def test_says_when_nothing_has_changed(world):
    path = world.at(f"/api/history/?asset={{robot}}&{SPAN}")
    tag = ask(world.vera, path, long_way=False)[1]["etag"]
    for long_way in (False, True):
        again = ask(world.vera, path, long_way=long_way, **{"If-None-Match": f"W/{tag}"})
        assert (again[0], again[1]["etag"], again[2]) == (304, tag, None)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/json", "application/ld+json", "text/html,*/*;q=0.8"]
)
def test_gives_what_is_accepted(world, accept):
    path = world.at("/api/equipment/{robot}/latest/")
    asked = world.vera.headers | {"Accept": accept}
    answer = world.anybody("GET", path, headers=asked)
    assert answer.status_code == ask(world.vera, path, long_way=True, Accept=accept)[0]


def test_refuses_the_same_callers(world):
    path = world.at(f"/api/history/?asset={{robot}}&{SPAN}")
    key = world.olga.made("/api/keys/", {"name": "in only", "scope": "ingest"})["key"]
    narrow = {"name": "the other", "scope": "read", "asset": world.names["station"]}
    other = world.olga.made("/api/keys/", narrow)["key"]
    wrong = [{"Authorization": "Bearer x.y.z"}, {"X-API-Key": "x"}, {"X-API-Key": key}, {"X-API-Key": other}]
    statuses = []
    for headers in wrong:
        told = [ask(world.anybody, path, long_way=long_way, **headers) for long_way in (False, True)]
        assert told[0] == told[1]
        statuses.append(told[0][0])
    assert statuses == [401, 401, 403, 404]
    assert world.anybody("GET", path).status_code == 401
    assert ask(world.mallory, path, long_way=False) == ask(world.mallory, path, long_way=True)


def test_forgets_what_a_write_changed(world):
    path = world.at("/api/equipment/{robot}/latest/")
    place = f"/api/parameters/{world.adam.get('/api/parameters/?code=t')['results'][0]['id']}/"
    for unit in ("K", "degC"):
        tag = world.adam("GET", place).headers["ETag"]
        changed = world.adam("PATCH", place, {"unit": unit}, headers={"If-Match": tag})
        assert changed.status_code == 200, changed.text
        assert ask(world.vera, path, long_way=False)[2]["values"]["t"]["unit"] == unit


def test_ends_with_the_session(world):
    path = world.at("/api/equipment/{robot}/latest/")
    vera = logged_in(world.adam.url, f"vera-{MARK}")
    assert ask(vera, path, long_way=False)[0] == 200
    assert vera("POST", "/api/accounts/logout/", {"refresh": vera.refresh}).status_code == 205
    eventually(lambda: ask(vera, path, long_way=False)[0] == 401)


def test_leaves_files_to_django_however_they_are_asked_for(world):
    place = urlsplit(world.vera.url)
    # More than are made at once: each must have been sent, and its place given back.
    for word in ("format", "%66ormat", "form%61t") * 2:
        # By hand, since a client would spell the word out.
        line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        line.request("GET", world.at(f"/api/history/?asset={{robot}}&{SPAN}&{word}=csv"), headers=world.vera.headers)
        answer = line.getresponse()
        rows = answer.read().count(b"\n")
        line.close()
        assert (answer.status, rows > 1) == (200, True)


def test_is_counted(world):
    path = world.at("/api/equipment/{robot}/latest/")
    ask(world.vera, path, long_way=False)
    counted = world.anybody("GET", "/metrics").text
    assert 'method="GET",route="api/equipment/<int:pk>/latest/",status="200"' in counted
