"""Reports on the air of a site: what they say, in which forms, and that a signed one stays as it is."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.queries import access_of
from techtrack.core.clock import to_micros
from techtrack.reports.domain.canonical import checksum
from techtrack.reports.models import AirReport
from techtrack.reports.queries.air import MOST_DAYS, MOST_SENSORS
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.services import Saying, mark_quality
from tests import factories
from tests.factories import NOW
from tests.integration.environment.stations import HOUR, make_station, pass_all, send, settle

URL = "/api/reports/air-quality/"
MARCH = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def site(db):
    return factories.make_site("Harbour", timezone="UTC")


@pytest.fixture
def erika(site):
    """Engineer at the harbour."""
    return factories.make_user("erika", role=Role.ENGINEER, site=site)


@pytest.fixture
def victor(site):
    """Viewer at the harbour."""
    return factories.make_user("victor", role=Role.VIEWER, site=site)


@pytest.fixture
def station(site, control):
    """March: 31 days at 20, of which two are at 60; an hour was no measurement, another was taken out."""
    station = make_station("=Harbour 1", site=site, key="harbour-1")
    # Not the same all the time: that would be taken for stuck.
    values = [(60.0 if hour < 48 else 20.0) - hour % 2 for hour in range(31 * 24)]
    values[100] = -999.0
    send(station, last=MARCH - HOUR / 2, pm10=values)
    pass_all(control)
    return station


@pytest.fixture
def draw(api, erika):
    def post(at, **fields):
        return api(erika).post(URL, {"site": at.pk, "period": "2026-03", "limits": "eu_2030"} | fields, format="json")

    return post


def texts_of(workbook):
    """The texts of a workbook."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as book:
        return re.findall(r"<t[^>]*>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())


def sign(client, report, **other):
    return client.post(f"{URL}{report['id']}/sign/", {"checksum": report["checksum"]} | other, format="json")


class TestAReport:
    def test_says_what_the_month_was_like(self, draw, site, station, erika):
        said = Saying("pm10", (to_micros(MARCH - HOUR), to_micros(MARCH)), Quality.BAD, "calibration")
        mark_quality(asset=station, said=said, by=access_of(erika), now=NOW)
        found = draw(site)
        assert found.status_code == 201, found.content
        told = found.json()
        assert found["Location"].endswith(f"{URL}{told['id']}/")
        assert (told["state"], told["intact"], told["content"]["complete"]) == ("preliminary", True, True)
        (sensor,) = told["content"]["sensors"]
        (pm10,) = sensor["parameters"]
        assert (pm10["hours"], pm10["known"], pm10["maximum"]) == (744, 742, 60.0)
        assert pm10["maximum_at"] == "2026-03-01T01:00:00Z"
        day = next(one for one in sensor["exceedances"] if one["limit"] == "pm10_day")
        assert (day["in_period"], day["used"], day["allowed"], day["left"]) == (2, 2, 18, 16)
        assert sensor["quality"]["tests"] == [{"parameter": "pm10", "flag": "sentinel", "stretches": 1, "hours": 0.0}]
        assert [(one["reason"], one["by"]) for one in sensor["quality"]["said"]] == [("calibration", erika.pk)]
        assert told["people"] == {str(erika.pk): "erika"}
        assert sum(one["hours"] for one in sensor["index"]["classes"]) == sensor["index"]["hours"]

    def test_counts_of_a_month_what_is_of_that_month(self, draw, site, station):
        send(station, last=datetime(2026, 2, 1, tzinfo=UTC) - HOUR / 2, pm10=[80.0] * 31 * 24)
        (sensor,) = draw(site).json()["content"]["sensors"]
        day = next(one for one in sensor["exceedances"] if one["limit"] == "pm10_day")
        assert (day["in_period"], day["used"]) == (2, 33)

    def test_leaves_out_only_what_lacks_a_unit(self, draw, site, station):
        bare = factories.make_sensor("Bare", site=site)
        send(bare, last=MARCH - HOUR, pm10=[20.0] * 24, no2=[20.0] * 24)
        sensors = {one["name"]: one for one in draw(site).json()["content"]["sensors"]}
        assert {one["parameter"] for one in sensors["Bare"]["exceedances"]} == {"pm10"}
        assert sensors["Bare"]["missing"] == ["the unit of no2 is not declared"]

    def test_names_the_correction_that_was_applied(self, draw, site, station):
        settle(station, corrections={"pm10": "hackair"})
        assert draw(site).json()["content"]["sensors"][0]["corrections"] == {"pm10": "hackair"}

    def test_is_there_once_until_it_is_signed(self, draw, site, station):
        assert draw(site).status_code == 201
        again = draw(site)
        assert (again.status_code, again.json()["code"]) == (409, "report_exists")
        assert draw(site, period="2026").status_code == 201

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"period": "March"}, "/period"),
            ({"limits": "mine"}, "/limits"),
            ({"standard": "mine"}, "/standard"),
            ({"site": 2**40}, "/site"),
            ({"content": {}, "sites": 1}, "/sites"),
        ],
    )
    def test_is_refused_with_the_place(self, draw, site, fields, pointer):
        found = draw(site, **fields)
        assert found.status_code == 400
        assert [one["pointer"] for one in found.json()["errors"]] == [pointer]

    def test_is_drawn_up_by_engineers_alone(self, api, site, victor, oscar):
        body = {"site": site.pk, "period": "2026-03"}
        assert api(victor).post(URL, body, format="json").status_code == 403
        assert api(oscar).post(URL, body, format="json").status_code == 400


class TestSigning:
    def test_keeps_the_report_as_it_is(self, draw, api, erika, site, station):
        report, client = draw(site).json(), api(erika)
        signed = sign(client, report)
        assert signed.status_code == 200, signed.content
        told = signed.json()
        assert (told["state"], told["signer"], told["signed_by"]) == ("signed", "erika", erika.pk)
        send(station, last=MARCH - HOUR / 2, pm10=[90.0] * 24)
        for path in ("refresh/", "sign/"):
            body = {"checksum": report["checksum"]} if path == "sign/" else {}
            found = client.post(f"{URL}{report['id']}/{path}", body, format="json")
            assert (found.status_code, found.json()["code"]) == (409, "report_signed")
        assert client.delete(f"{URL}{report['id']}/").status_code == 409
        now = client.get(f"{URL}{report['id']}/").json()
        assert (now["content"], now["checksum"], now["intact"]) == (report["content"], report["checksum"], True)
        # What is found now is another report.
        assert draw(site).json()["checksum"] != report["checksum"]

    def test_is_of_what_was_read(self, draw, api, erika, site, station):
        report = draw(site).json()
        send(station, last=MARCH - HOUR / 2, pm10=[90.0] * 24)
        changed = api(erika).post(f"{URL}{report['id']}/refresh/").json()
        assert changed["checksum"] != report["checksum"]
        found = sign(api(erika), report)
        assert (found.status_code, found.json()["code"]) == (409, "other_checksum")
        assert sign(api(erika), changed).status_code == 200

    def test_waits_until_the_period_is_over(self, draw, api, erika, site, station):
        report = draw(site, period="2027").json()
        found = sign(api(erika), report)
        assert (found.status_code, found.json()["code"]) == (409, "period_not_over")

    def test_finds_what_was_changed_past_the_platform(self, draw, api, erika, site, station):
        report = draw(site).json()
        content = report["content"] | {"complete": True, "title": "All is well"}
        AirReport.objects.filter(pk=report["id"]).update(content=content)
        assert api(erika).get(f"{URL}{report['id']}/").json()["intact"] is False
        assert sign(api(erika), report).json()["code"] == "other_checksum"

    def test_is_for_people(self, draw, api, erika, victor, site, station):
        report = draw(site).json()
        assert sign(api(victor), report).status_code == 403
        key = factories.make_key(erika, scope="write", site=site)
        client = api(erika)
        client.force_authenticate(erika, token=replace(access_of(erika), scope=Scope.WRITE, key_id=key.pk))
        found = sign(client, report)
        assert (found.status_code, found.json()["detail"]) == (403, "a report is signed by a person")

    def test_keeps_the_site(self, draw, api, adam, erika, site, station):
        sign(api(erika), draw(site).json())
        assert api(adam).delete(f"/api/sites/{site.pk}/").status_code == 409

    def test_is_recorded(self, draw, api, adam, erika, site, station):
        report = draw(site).json()
        sign(api(erika), report)
        found = api(adam).get("/api/audit/?object_type=air-report").json()["results"]
        assert [one["action"] for one in found] == ["air-report.changed", "air-report.created"]
        assert found[0]["after"]["state"] == "signed"
        assert found[1]["after"]["checksum"] == report["checksum"]
        assert "content" not in found[1]["after"]


class TestPeople:
    @pytest.fixture
    def otto(self, site):
        """Engineer at the harbour who took something out, and then leaves."""
        return factories.make_user("otto-p", role=Role.ENGINEER, site=site)

    @pytest.mark.parametrize("signed", [False, True])
    def test_who_said_something_is_named_until_the_account_is_erased(
        self, draw, api, adam, erika, otto, site, station, signed
    ):
        said = Saying("pm10", (to_micros(MARCH - HOUR), to_micros(MARCH)), Quality.BAD, "calibration")
        mark_quality(asset=station, said=said, by=access_of(otto), now=NOW)
        report, client = draw(site).json(), api(erika)
        if signed:
            assert sign(client, report).status_code == 200
        assert "otto-p" in client.get(f"{URL}{report['id']}/?format=html").content.decode()
        accounts.delete_user(user=otto, by=access_of(adam), expected=None, now=NOW)
        now = client.get(f"{URL}{report['id']}/").json()
        assert (now["intact"], now["checksum"], now["people"]) == (True, report["checksum"], {})
        page = client.get(f"{URL}{report['id']}/?format=html").content.decode()
        assert "somebody who left" in page
        assert "otto-p" not in page + str(list(AirReport.objects.values_list()))

    def test_who_said_something_is_named_in_the_workbook(self, draw, api, erika, otto, site, station):
        said = Saying("pm10", (to_micros(MARCH - HOUR), to_micros(MARCH)), Quality.BAD, "calibration")
        mark_quality(asset=station, said=said, by=access_of(otto), now=NOW)
        found = api(erika).get(f"{URL}{draw(site).json()['id']}/?format=xlsx")
        assert "otto-p" in texts_of(found.content)


class TestForms:
    def test_are_a_page_that_prints(self, draw, api, victor, site, station):
        report = draw(site).json()
        page = api(victor).get(f"{URL}{report['id']}/?format=html")
        assert page["Content-Type"].startswith("text/html")
        text = page.content.decode()
        assert "Air quality, Harbour, March 2026" in text
        assert "Preliminary: nobody has signed it" in text
        assert report["checksum"] in text
        assert "pm10 45 ug/m3" in text
        assert "style=" not in text
        assert "<script" not in text

    def test_name_the_signer(self, draw, api, erika, site, station):
        report = draw(site).json()
        sign(api(erika), report)
        assert "Signed by erika" in api(erika).get(f"{URL}{report['id']}/?format=html").content.decode()

    def test_escape_what_people_write(self, draw, api, erika, site, station):
        make = make_station("<b>bold</b>", site=site)
        send(make, last=MARCH - HOUR, pm10=[20.0])
        report = draw(site).json()
        assert "<b>" not in api(erika).get(f"{URL}{report['id']}/?format=html").content.decode()

    def test_are_a_workbook(self, draw, api, victor, site, station):
        report = draw(site).json()
        found = api(victor).get(f"{URL}{report['id']}/?format=xlsx")
        assert f"air-quality-{report['period']}.xlsx" in found["Content-Disposition"]
        with zipfile.ZipFile(io.BytesIO(found.content)) as book:
            sheets = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        assert sheets == ["report", "data capture", "exceedances", "index", "tests", "said", "missing"]
        texts = texts_of(found.content)
        # No spreadsheet takes it for a formula.
        assert {"sensor_name", "'=Harbour 1", report["checksum"]} <= set(texts)
        assert "=Harbour 1" not in texts

    @pytest.mark.parametrize("name", ["pdf", ""])
    def test_that_there_are_not_are_refused(self, draw, api, victor, site, station, name):
        report = draw(site).json()
        found = api(victor).get(f"{URL}{report['id']}/?format={name}")
        assert found.status_code == 400
        assert found.json()["errors"][0]["pointer"] == "?format"

    def test_show_the_forecast_and_what_is_not_known(self, draw, api, victor, site, station):
        bare = make_station("Bare", site=site)
        # Known later in the year alone: nothing of the month.
        send(bare, last=MARCH + 5 * HOUR, pm10=[20.0])
        send(station, last=datetime(2026, 3, 1, tzinfo=UTC) - HOUR / 2, pm10=[20.0] * 59 * 24)
        report = draw(site).json()
        day = next(one for one in report["content"]["sensors"][0]["exceedances"] if one["limit"] == "pm10_day")
        shown = [f"{one:.1f}" for one in day["forecast"]]
        page = api(victor).get(f"{URL}{report['id']}/?format=html").content.decode()
        assert f"{shown[1]} ({shown[0]} to {shown[2]})" in page
        # 743 of 744 hours are not yet all of them.
        assert "<td>99.8 %</td>" in page
        assert "<td>0.0 %</td>" + 3 * "<td>\N{EN DASH}</td>" in page
        told = api(victor).get(f"/api/reports/exceedances/?site={site.pk}&period=2026-03").json()
        rows = [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]
        first = next(one for one in rows if one["limit"] == "pm10_day")
        assert first["forecast_low"] <= first["forecast"] <= first["forecast_high"]

    def test_are_of_the_sensors_of_air_however_many_others_there_are(self, draw, site, station, monkeypatch):
        monkeypatch.setattr("techtrack.reports.queries.air.MOST_SENSORS", 1)
        send(factories.make_sensor("Shaking", site=site), last=MARCH, vibration=[1.0])
        assert [one["name"] for one in draw(site).json()["content"]["sensors"]] == ["=Harbour 1"]
        send(make_station("Second", site=site), last=MARCH, pm10=[20.0])
        found = draw(site)
        assert (found.status_code, found.json()["errors"][0]["pointer"]) == (400, "/site")


class TestTheFirstForm:
    """Of reports that were drawn up before their content had a version."""

    CONTENT = Path(__file__).parents[2] / "golden" / "reports" / "air_form_1.json"

    @pytest.fixture
    def old(self, site, erika):
        content = json.loads(self.CONTENT.read_text(encoding="utf-8"))
        content["sensors"][0]["quality"]["said"][0]["by"] = erika.pk
        fields = {"site": site, "period": "2026-03", "limits": "eu_2030", "standard": "us_epa", "signer": "erika"}
        signed = {"state": "signed", "signed_at": NOW, "signed_by": erika, "drawn_up_at": NOW}
        return AirReport.objects.create(
            content=content, checksum=checksum(content), **fields, **signed, **factories.STAMPS
        )

    def test_still_open_in_every_form(self, api, victor, old):
        client, path = api(victor), f"{URL}{old.pk}/"
        told = client.get(path).json()
        assert (told["intact"], told["content"]) == (True, old.content)
        assert "version" not in told["content"]
        page = client.get(f"{path}?format=html").content.decode()
        assert "Signed by erika" in page
        assert "pm10 45 ug/m3" in page
        assert "<td>99.7 %</td>" in page
        texts = texts_of(client.get(f"{path}?format=xlsx").content)
        assert {"pm10_day", "calibration", "mean_of_years"} <= set(texts)


class TestMeansOfYears:
    def test_stand_in_every_form(self, draw, api, victor, site):
        station = make_station("Ozone", site=site)
        settle(station, reference_temperature=20, reference_pressure=1013.25)
        values = np.full((365 + 365 + 31, 24), 50.0) + np.arange(24) % 2
        values[100:140, 10:18] = 130.0
        send(station, last=datetime(2026, 2, 1, tzinfo=UTC) - HOUR / 2, o3=values.reshape(-1))
        report = draw(site, period="2026-01").json()
        (sensor,) = report["content"]["sensors"]
        ozone = next(one for one in sensor["exceedances"] if one["limit"] == "o3_8h")
        assert ozone["over_years"] == {"years": [2024, 2025, 2026], "mean": 13.333333, "exceeded": False}
        page = api(victor).get(f"{URL}{report['id']}/?format=html").content.decode()
        assert "the mean of 2024, 2025, 2026 is 13.3: kept" in page
        told = api(victor).get(f"/api/reports/exceedances/?site={site.pk}&period=2026-01&standard=eu_2030").json()
        rows = [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]
        found = next(one for one in rows if one["limit"] == "o3_8h")
        assert (found["over_years"], found["mean_of_years"]) == ("2024 2025 2026", 13.333333)
        assert found["over_exceeded"] == "no"


class TestTables:
    @pytest.fixture
    def ask(self, api, victor, site):
        def get(table, **query):
            query = {"site": site.pk, "period": "2026-03"} | query
            return api(victor).get(f"/api/reports/{table}/", query)

        return get

    @pytest.mark.parametrize("table", ["exceedances", "data-capture"])
    def test_ask_as_much_for_eight_sensors_as_for_two(self, ask, site, station, table):
        def more(number):
            send(make_station(f"More {number}", site=site), last=MARCH - HOUR / 2, pm10=[20.0 + number] * 48)

        more(0)
        ask(table)
        with CaptureQueriesContext(connection) as two:
            assert len({row[0] for row in ask(table).json()["rows"]}) == 2
        for number in range(1, 7):
            more(number)
        with CaptureQueriesContext(connection) as many:
            assert len({row[0] for row in ask(table).json()["rows"]}) == 8
        assert len(many) == len(two)

    @pytest.mark.parametrize(
        ("table", "left_out"),
        [
            pytest.param("exceedances", {"index_of", "quality_of", "_parameter"}, id="limits alone"),
            pytest.param("data-capture", {"index_of", "quality_of", "findings_of"}, id="capture alone"),
        ],
    )
    @pytest.mark.parametrize("form", ["json", "csv", "xlsx", "html"])
    def test_compute_nothing_else(self, ask, station, monkeypatch, table, left_out, form):
        def refuse(*_, **__):
            raise AssertionError("nobody asked for this")

        for name in left_out:
            monkeypatch.setattr(f"techtrack.reports.queries.air.{name}", refuse)
        assert ask(table, format=form).status_code == 200

    def test_of_a_month_read_no_more_than_the_month(self, ask, station, monkeypatch):
        lengths, means = [], telemetry.means

        def noted(ids, *, codes, edges):
            lengths.append(len(edges) - 1)
            return means(ids, codes=codes, edges=edges)

        monkeypatch.setattr("techtrack.environment.queries.air.telemetry.means", noted)
        assert ask("data-capture").status_code == 200
        assert max(lengths) == 31 * 24

    @pytest.mark.parametrize(
        ("table", "period", "status"),
        [
            pytest.param("data-capture", "2026-03", 200, id="two sensors, 31 days each"),
            pytest.param("exceedances", "2026-03", 400, id="two sensors, the year up to the end of March"),
            pytest.param("exceedances", "2026-01", 200, id="the year up to the end of January"),
            pytest.param("data-capture", "2026", 400, id="two sensors, a year"),
        ],
    )
    def test_have_a_bound_and_say_what_to_do_instead(self, ask, site, station, monkeypatch, table, period, status):
        monkeypatch.setattr("techtrack.reports.queries.air.MOST_DAYS", 62)
        send(make_station("Second", site=site), last=MARCH - HOUR / 2, pm10=[20.0])
        found = ask(table, period=period)
        assert found.status_code == status
        if status == 400:
            (fault,) = found.json()["errors"]
            assert fault["pointer"] == "?site"
            assert "/api/reports/air-quality/" in fault["detail"]

    def test_hold_a_month_of_as_many_sensors_as_a_report(self):
        assert MOST_DAYS >= 31 * MOST_SENSORS

    @pytest.mark.parametrize("table", ["exceedances", "data-capture"])
    def test_are_made_when_they_are_asked_for(self, api, victor, site, station, table):
        path = f"/api/reports/{table}/?site={site.pk}&period=2026-03"
        told = api(victor).get(path).json()
        assert (told["state"], told["period"], told["through"]) == ("preliminary", "2026-03", "2026-04-01T00:00:00Z")
        rows = [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]
        assert {row["parameter"] for row in rows} == {"pm10"}
        csv = api(victor).get(f"{path}&format=csv")
        assert csv.content.decode().splitlines()[0] == ",".join(told["columns"])
        assert len(csv.content.decode().splitlines()) == len(rows) + 1
        assert api(victor).get(f"{path}&format=xlsx").content[:2] == b"PK"
        assert api(victor).get(f"{path}&format=html")["Content-Type"].startswith("text/html")

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("period=2026", "?site"),
            ("site=x&period=2026", "?site"),
            ("site={}&period=26", "?period"),
            ("site={}", "?period"),
            ("site={}&period=2026&standard=no", "?standard"),
            ("site={}&period=2026&format=pdf", "?format"),
        ],
    )
    def test_are_refused_with_the_place(self, api, victor, site, query, pointer):
        found = api(victor).get(f"/api/reports/exceedances/?{query.format(site.pk)}")
        assert found.status_code == 400
        assert found.json()["errors"][0]["pointer"] == pointer

    def test_are_hidden_from_outsiders(self, api, oscar, site, station):
        assert api(oscar).get(f"/api/reports/exceedances/?site={site.pk}&period=2026").status_code == 404
