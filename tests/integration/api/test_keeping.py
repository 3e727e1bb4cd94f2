"""Lists that are kept: as they would be made anew, whoever wrote meanwhile and wherever; nobody's but for all."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Role, internal
from techtrack.assets import services
from techtrack.assets.api.viewsets import AssetTypeViewSet
from techtrack.assets.models import AssetType, AssetTypeQuerySet, Kind, Parameter
from techtrack.core import clock
from techtrack.core.api import keeping
from tests import factories
from tests.campaigns.neighbour import neighbour

pytestmark = pytest.mark.django_db(transaction=True)
TYPES, PARAMETERS = "/api/asset-types/", "/api/parameters/"
ROUNDS = 20
NOW = factories.NOW
US = internal()
_numbers = itertools.count(1)


@pytest.fixture
def root():
    """Somebody who reads."""
    return factories.make_user("root", role=Role.ADMIN)


@pytest.fixture
def mill():
    """A type."""
    return factories.make_type("mill")


def listed(client, path=TYPES, **headers):
    """The answer to one request for a list."""
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.content
    return answer


def names(client, path=TYPES):
    """What the rows of a list are called."""
    return {row["name"] or row["code"] for row in listed(client, path).json()["results"]}


def asked(client, path):
    """How many statements a list takes."""
    with CaptureQueriesContext(
        connection,
    ) as seen:
        listed(client, path)
    return len(seen)


class TestKeptList:
    @pytest.mark.parametrize("path", [TYPES, f"{TYPES}?page_size=1", f"{PARAMETERS}?page_size=1&ordering=-code"])
    def test_is_the_same_to_the_letter_and_takes_one_statement(self, api, root, path):
        for slug in ("mill", "lathe"):
            factories.make_type(slug)
            factories.make_parameter(slug)
        first, second = listed(api(root), path), listed(api(root), path)
        assert second.content == first.content
        assert dict(second.headers) == dict(first.headers) | {"X-Request-ID": second["X-Request-ID"]}
        assert asked(api(root), path) == 1

    def test_is_a_304_for_who_has_it(self, api, root, mill):
        first = listed(api(root))
        again = api(root).get(TYPES, headers={"If-None-Match": listed(api(root))["ETag"]})
        assert (again.status_code, again["ETag"]) == (304, first["ETag"])

    def test_of_one_address_is_not_given_for_another(self, api, root, mill):
        factories.make_type("lathe")
        both = [listed(api(root), f"{TYPES}?page_size=1&page={page}").json()["results"][0]["slug"] for page in (1, 2)]
        assert both == ["lathe", "mill"]
        assert names(api(root), f"{TYPES}?search=mill") == {"Mill"}
        assert "\n" in listed(api(root), Accept="application/json; indent=2").content.decode()
        assert "\n" not in listed(api(root)).content.decode()

    def test_is_given_to_all_who_see_the_whole_table_and_to_nobody_else(self, api, root, mallory, vera, mill):
        assert names(api(root)) == names(api(vera)) == {"Mill"}
        assert names(api(mallory)) == set()
        assert names(api(root)) == {"Mill"}

    def test_is_not_kept_where_a_part_is_shown(self, api, root, vera, mill, monkeypatch):
        factories.make_type("lathe")
        assert names(api(root)) == {"Mill", "Lathe"}
        narrow = lambda rows, access: rows if access.everywhere else rows.filter(slug="mill")  # noqa: E731 - a stand-in
        monkeypatch.setattr(AssetTypeQuerySet, "visible_to", narrow)
        assert names(api(vera)) == {"Mill"}
        assert names(api(root)) == {"Mill", "Lathe"}

    def test_of_a_transaction_that_is_undone_is_forgotten(self, api, root, mill):
        with transaction.atomic():
            AssetType.objects.create(slug="ghost", name="Ghost", **factories.STAMPS)
            assert names(api(root)) == {"Mill", "Ghost"}
            transaction.set_rollback(True)
        # SQLite gives the number out again.
        AssetType.objects.create(slug="lathe", name="Lathe", **factories.STAMPS)
        assert names(api(root)) == {"Mill", "Lathe"}

    def test_takes_no_more_room_than_it_may(self, api, root, mill, monkeypatch):
        monkeypatch.setattr(keeping, "MOST_BYTES", 3_000)
        services.update_asset_type(asset_type=mill, by=US, changes={"name": "Mule"}, expected=None, now=NOW)
        for number in range(20):
            assert names(api(root), f"{TYPES}?search={'mill ' * (number % 3)}{number}") == set()
        state = keeping.shelf(AssetType)._state
        assert 0 < len(state.answers) < 6
        assert names(api(root)) == {"Mule"}


def made(client):
    services.create_asset_type(by=US, now=NOW, data={"slug": f"made-{next(_numbers)}", "name": "Made"})


def changed(client):
    rename("Changed")


def removed(client):
    services.delete_asset_type(asset_type=AssetType.objects.get(slug="mill"), by=US, expected=None)


def made_by_an_asset(client):
    slug = f"robot-{next(_numbers)}"
    services.create_asset(kind=Kind.EQUIPMENT, by=US, now=NOW, data={"name": "R", "type": slug, "site": None})


def learnt(client):
    kind = AssetType.objects.get(slug="mill")
    services.learn_parameters(codes_by_type={kind.pk: {f"code_{next(_numbers)}"}}, now=NOW)


def made_over_http(client):
    body = {"items": [{"action": "create", "body": {"slug": f"bulk-{next(_numbers)}", "name": "Bulk"}}]}
    assert client.post(f"{TYPES}bulk/", body, format="json").status_code == 200


WRITES = [made, changed, removed, made_by_an_asset, learnt, made_over_http]


class TestWrite:
    @pytest.mark.parametrize("write", WRITES, ids=lambda one: one.__name__)
    def test_is_seen_by_the_next_request(self, api, root, mill, write):
        client = api(root)
        before = [listed(client).content for _ in range(2)]
        write(client)
        # As it would be made if nothing were kept.
        fresh = AssetTypeViewSet.serializer_class(AssetType.objects.order_by("slug"), many=True).data
        now = listed(client)
        assert now.content != before[1]
        assert [row["slug"] for row in now.json()["results"]] == [row["slug"] for row in fresh]
        assert [row["version"] for row in now.json()["results"]] == [row["version"] for row in fresh]

    def test_of_a_parameter_is_seen_by_the_next_request(self, api, root):
        for number in range(3):
            row = factories.make_parameter(f"p{number}")
            assert f"p{number}" in names(api(root), PARAMETERS)
            services.update_parameter(parameter=row, by=US, changes={"name": "Name"}, expected=None, now=NOW)
            assert "Name" in names(api(root), PARAMETERS)
            services.delete_parameter(parameter=row, by=US, expected=None)
            assert names(api(root), PARAMETERS) == set()
        assert not Parameter.objects.exists()


def seen_across_processes(client):
    """What another process wrote is in the answer to the very next request; so many times."""
    with neighbour() as other:
        for number in range(ROUNDS):
            other.write("rename_type", "mill", f"Mill {number}")
            assert names(client) == {f"Mill {number}"}, f"round {number}: an old list"
            other.write("learn", f"code_{number}")
            assert len(names(client, PARAMETERS)) == number + 1, f"round {number}: an old list"


def rename(name):
    kind = AssetType.objects.get(slug="mill")
    services.update_asset_type(asset_type=kind, by=US, changes={"name": name}, expected=None, now=NOW)


def overtaken(client, monkeypatch):
    """A list that was read before a write is not given after it, though it is finished only then."""
    make, waiting = AssetTypeViewSet._made, []

    def slow(view, request):
        old = make(view, request)
        if waiting:
            rename(waiting.pop())
        return old

    monkeypatch.setattr(AssetTypeViewSet, "_made", slow)
    for number in range(ROUNDS):
        rename("Mill")
        waiting.append(f"Mill {number}")
        assert names(client) == {"Mill"}
        assert names(client) == {f"Mill {number}"}, f"round {number}: an old list"


class TestRace:
    def test_what_another_process_wrote_is_in_the_very_next_answer(self, api, root, mill):
        seen_across_processes(api(root))

    def test_a_read_that_began_before_a_write_leaves_nothing_old_behind(self, api, root, mill, monkeypatch):
        overtaken(api(root), monkeypatch)

    def test_a_write_between_the_question_and_the_reading_is_seen(self, api, root, mill, monkeypatch):
        client, stamp = api(root), keeping.Shelf.stamp
        names(client)

        def overtaken_stamp(shelf):
            found = stamp(shelf)
            changed(client)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(keeping.Shelf, "stamp", overtaken_stamp)
            client.get(TYPES)
        assert names(client) == {"Changed"}


class TestPlantedBug:
    """Each of the two ways to do it wrong is found."""

    def test_of_asking_the_table_once_is_found(self, api, root, mill, monkeypatch):
        stamp = keeping.Shelf.stamp
        first: dict = {}
        monkeypatch.setattr(keeping.Shelf, "stamp", lambda shelf: first.setdefault(id(shelf), stamp(shelf)))
        with pytest.raises(AssertionError, match="an old list"):
            seen_across_processes(api(root))

    def test_of_asking_the_table_after_the_reading_is_found(self, api, root, mill, monkeypatch):
        kept = {}

        def late(shelf, name, make):
            if kept.get(name, (None, None))[0] != shelf.stamp():
                made = make()
                kept[name] = shelf.stamp(), made
            return kept[name][1]

        monkeypatch.setattr(keeping.Shelf, "answer", late)
        with pytest.raises(AssertionError, match="an old list"):
            overtaken(api(root), monkeypatch)


class TestPermission:
    def test_that_another_process_took_away_is_gone_at_the_next_request(self, root, mill):
        factories.make_user("boss", role=Role.ADMIN)
        token = accounts.start_session(user=root, address="127.0.0.1", device="test", now=clock.now()).access
        client = Client(headers={"Authorization": f"Bearer {token}"})
        assert names(client) == {"Mill"}
        with neighbour() as other:
            other.write("take_roles", "root")
            assert names(client) == set()
