"""The audit log over the API and at the terminal."""

from __future__ import annotations

import csv
import io
import json

import pytest

from techtrack.accounts import console
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import AuditEntry
from techtrack.accounts.services.audit_seal import seal_entries
from tests import factories
from tests.campaigns import tampering
from tests.factories import NOW


@pytest.fixture
def story(adam, plant, other_site):
    """Changes at two sites and at none; the entries of fixtures are sealed as well."""
    for number in range(5):
        plant.change(expected=None, now=NOW, address=f"plant {number}")
    other_site.change(expected=None, now=NOW, address="elsewhere")
    factories.make_type("pump")
    seal_entries()


@pytest.fixture
def anna(plant):
    """Admin at the plant alone."""
    return factories.make_user("anna", role=Role.ADMIN, site=plant)


def results(client, **query):
    answer = client.get("/api/audit/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


@pytest.mark.usefixtures("story")
class TestList:
    def test_shows_newest_first_with_place_and_hash(self, api, adam):
        found = results(api(adam))
        assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)
        sealed = [one for one in found if one["position"]]
        assert {len(one["hash"]) for one in sealed} == {64}
        assert found[0].keys() == {
            *("id", "position", "at", "actor", "actor_name", "session", "via", "address", "agent", "request_id"),
            *("action", "object_type", "object_id", "site", "before", "after", "hash"),
        }

    def test_shows_administrators_of_a_site_what_happened_there(self, api, anna, plant):
        assert {one["site"] for one in results(api(anna))} == {plant.pk}

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ENGINEER])
    def test_is_for_administrators(self, api, plant, role):
        answer = api(factories.make_user("x", role=role, site=plant)).get("/api/audit/")
        assert answer.status_code == 403

    def test_is_not_for_keys(self, client, adam):
        answer = client.get("/api/audit/", headers={"X-API-Key": "tt_none"})
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"action": "site.changed"}, 6),
            ({"action": "site.changed", "site": "plant"}, 5),
            ({"object_type": "asset-type"}, 1),
            ({"object_type": "site", "object_id": "other"}, 2),
            ({"actor": "key:9"}, 0),
            ({"request_id": "nothing"}, 0),
            ({"to": "2020-01-01T00:00:00Z"}, 0),
            ({"from": "2020-01-01T00:00:00Z", "action": "site.changed"}, 6),
        ],
        ids=str,
    )
    def test_is_filtered(self, api, adam, plant, other_site, query, count):
        numbers = {"plant": plant.pk, "other": other_site.pk}
        asked = {name: numbers.get(value, value) for name, value in query.items()}
        assert len(results(api(adam), **asked)) == count

    @pytest.mark.parametrize(
        "query",
        [
            {"page": "1"},
            {"ordering": "at"},
            {"cursor": "rubbish"},
            {"cursor": "cD14"},
            {"cursor": "cD0xZTk5"},
            {"format": "xlsx"},
            {"from": "yesterday"},
            {"site": "x"},
            {"page_size": "0"},
            {"actor": "x" * 65},
        ],
        ids=str,
    )
    def test_refuses_what_it_does_not_know(self, api, adam, query):
        answer = api(adam).get("/api/audit/", query)
        assert answer.status_code == 400, answer.content
        assert answer.json()["errors"][0]["pointer"] == f"?{next(iter(query))}"

    def test_is_paged_by_a_cursor_that_news_do_not_move(self, api, adam, plant):
        whole = [one["id"] for one in results(api(adam))]
        page = api(adam).get("/api/audit/", {"page_size": 4}).json()
        seen = [one["id"] for one in page["results"]]
        while page["next"]:
            plant.change(expected=None, now=NOW, address=f"news {len(seen)}")
            page = api(adam).get(page["next"]).json()
            seen += [one["id"] for one in page["results"]]
        assert seen == whole
        assert page["previous"]

    def test_shows_one_entry(self, api, adam, anna, mallory, other_site):
        entry = AuditEntry.objects.filter(object_type="site", object_id=str(other_site.pk)).first()
        assert api(adam).get(f"/api/audit/{entry.pk}/").json()["site"] == other_site.pk
        assert api(anna).get(f"/api/audit/{entry.pk}/").status_code == 404
        assert api(mallory).get(f"/api/audit/{entry.pk}/").status_code == 403

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_cannot_be_written(self, api, adam, method):
        entry = AuditEntry.objects.first()
        assert getattr(api(adam), method)(f"/api/audit/{entry.pk}/").status_code == 405
        assert getattr(api(adam), method)("/api/audit/").status_code == 405


@pytest.mark.usefixtures("story")
class TestFile:
    def test_of_json_lines_holds_what_matches_in_the_order_of_writing(self, api, adam):
        answer = api(adam).get("/api/audit/", {"format": "jsonl", "action": "site.changed"})
        lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
        assert [line["after"]["address"] for line in lines][:3] == ["plant 0", "plant 1", "plant 2"]

    def test_of_csv_lets_no_spreadsheet_calculate(self, api, adam, plant):
        AuditEntry.objects.create(at=0, actor="user:1", action="x", agent="=cmd()")
        answer = api(adam).get("/api/audit/", {"format": "csv"})
        assert answer["Content-Disposition"] == 'attachment; filename="audit.csv"'
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
        assert len(rows) == AuditEntry.objects.count()
        assert rows[-1]["agent"] == "'=cmd()"

    def test_holds_for_administrators_of_a_site_no_more_than_the_list(self, api, anna, plant):
        answer = api(anna).get("/api/audit/", {"format": "jsonl"})
        assert {json.loads(line)["site"] for line in b"".join(answer.streaming_content).splitlines()} == {plant.pk}


@pytest.mark.usefixtures("story")
class TestVerify:
    def test_tells_that_the_log_is_intact(self, api, adam):
        verdict = api(adam).get("/api/audit/verify/").json()
        assert verdict["intact"] is True
        assert verdict["entries"] == verdict["last"] == verdict["noted"] == AuditEntry.objects.count()

    def test_tells_where_it_is_broken(self, api, adam):
        tampering.disarm()
        tampering.do("UPDATE accounts_auditentry SET agent = 'x' WHERE position = 3")
        verdict = api(adam).get("/api/audit/verify/").json()
        assert (verdict["intact"], verdict["position"]) == (False, 3)

    def test_is_for_administrators_of_all_sites(self, api, anna, mallory):
        assert api(anna).get("/api/audit/verify/").status_code == 403
        assert api(mallory).get("/api/audit/verify/").status_code == 403
        assert api(None).get("/api/audit/verify/").status_code == 401


class TestTerminal:
    def test_says_what_it_proved(self, story):
        said: list[str] = []
        assert console.verify_audit_log(say=said.append) == 0
        assert said[0].startswith("The audit log is intact: ")

    def test_says_that_no_head_is_noted(self, story, settings):
        settings.AUDIT_HEAD.unlink()
        said: list[str] = []
        assert console.verify_audit_log(say=said.append) == 0
        assert "cannot be proven here" in said[-1]

    def test_says_the_first_broken_position_and_exits_with_1(self, story):
        tampering.disarm()
        tampering.do("DELETE FROM accounts_auditentry WHERE position = 4")
        said: list[str] = []
        assert console.verify_audit_log(say=said.append) == 1
        assert said[0] == "The audit log is broken at position 4: entry 4 is missing: 5 stands where it should."

    def test_accepts_a_restored_log(self, story, settings):
        settings.AUDIT_HEAD.write_text("?")
        said: list[str] = []
        assert console.verify_audit_log(say=said.append) == 1
        assert console.accept_audit_log(reason="restored", say=said.append) == 0
        assert console.verify_audit_log(say=said.append) == 0

    def test_does_not_accept_a_log_without_its_end(self, story):
        tampering.disarm()
        last = AuditEntry.objects.latest("position").position
        tampering.do("DELETE FROM accounts_auditentry WHERE position = %s", last)
        assert console.accept_audit_log(reason="restored", say=lambda _: None) == 1
