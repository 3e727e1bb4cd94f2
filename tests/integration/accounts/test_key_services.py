"""API keys: who makes them, what they open, and when they stop."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from techtrack.accounts import services
from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.models import ApiKey, Membership, User
from techtrack.accounts.queries import BadKey, access_of, is_alive, key_access
from techtrack.core.errors import Forbidden, Invalid, Stale
from tests.factories import STAMPS

HOME = "192.0.2.1"
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def make(now):
    def make(user, **changes):
        wanted = {
            "name": "gateway",
            "scope": Scope.WRITE,
            "site": None,
            "asset_id": None,
            "expires_at": None,
            "allowed_addresses": [],
        }
        return services.create_key(by=access_of(user), now=now, **(wanted | changes))

    return make


class TestKey:
    def test_has_a_prefix_and_is_kept_as_a_hash(self, olga, make):
        key, text = make(olga)
        assert text.startswith(f"tt_{key.prefix}_")
        assert len(key.prefix) == 8
        assert text not in str(ApiKey.objects.values().get())

    def test_has_its_makers_roles(self, olga, plant, make, now):
        access = key_access(make(olga)[1], HOME, now)
        assert access.user_id == olga.pk
        assert access.allows(Role.OPERATOR, plant.pk)
        assert not access.allows(Role.ENGINEER, plant.pk)
        assert access.scope is Scope.WRITE

    def test_is_narrowed_to_its_site_and_asset(self, adam, plant, other_site, make, now):
        access = key_access(make(adam, site=plant, asset_id=5)[1], HOME, now)
        assert access.sites() == {plant.pk}
        assert access.only_asset == 5
        assert not access.allows(Role.VIEWER, other_site.pk)

    def test_loses_what_its_maker_loses(self, olga, plant, make, now):
        text = make(olga)[1]
        Membership.objects.filter(user=olga).delete()
        assert key_access(text, HOME, now).sites() == frozenset()
        User.objects.filter(pk=olga.pk).update(is_active=False)
        with pytest.raises(BadKey):
            key_access(text, HOME, now)

    def test_ends_when_it_expires(self, olga, make, now):
        text = make(olga, expires_at=now + timedelta(hours=1))[1]
        key_access(text, HOME, now + timedelta(minutes=59))
        with pytest.raises(BadKey):
            key_access(text, HOME, now + timedelta(hours=1))

    def test_opens_from_its_addresses_only(self, olga, make, now):
        text = make(olga, allowed_addresses=["192.0.2.0/24", "2001:db8::7"])[1]
        key_access(text, HOME, now)
        key_access(text, "2001:db8::7", now)
        for address in ("198.51.100.1", "2001:db8::8", ""):
            with pytest.raises(BadKey):
                key_access(text, address, now)

    @pytest.mark.parametrize("spoil", [lambda t: t[:-1], lambda t: t + "x", lambda t: t[:12] + "A" * 43, lambda _: ""])
    def test_opens_nothing_when_a_character_is_wrong(self, spoil, olga, make, now):
        with pytest.raises(BadKey):
            key_access(spoil(make(olga)[1]), HOME, now)


class TestCreateKey:
    @pytest.mark.parametrize(
        ("name", "scope", "may"),
        [
            ("vera", Scope.READ, True),
            ("vera", Scope.INGEST, False),
            ("vera", Scope.WRITE, False),
            ("olga", Scope.INGEST, True),
            ("olga", Scope.WRITE, True),
            ("mallory", Scope.READ, False),
        ],
    )
    def test_gives_no_more_than_its_maker_has(self, name, scope, may, vera, olga, mallory, make):
        maker = User.objects.get(username=name)
        if may:
            assert make(maker, scope=scope)
        else:
            with pytest.raises(Forbidden):
                make(maker, scope=scope)

    def test_reaches_no_site_that_its_maker_does_not(self, olga, other_site, make):
        with pytest.raises(Forbidden):
            make(olga, site=other_site)

    def test_is_refused_to_keys(self, adam, make, now):
        key, text = make(adam)
        by = key_access(text, HOME, now)
        with pytest.raises(Forbidden):
            services.rotate_key(key=key, by=by, expected=None, now=now)
        with pytest.raises(Forbidden):
            services.revoke_key(key=key, by=by, expected=None)

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"allowed_addresses": ["10.0.0.1", "gateway"]}, "/allowed_addresses/1"),
            ({"expires_at": "past"}, "/expires_at"),
        ],
    )
    def test_names_what_is_wrong(self, changes, pointer, olga, make, now):
        changes = {name: now if value == "past" else value for name, value in changes.items()}
        with pytest.raises(Invalid) as caught:
            make(olga, **changes)
        assert caught.value.faults[0].pointer == pointer


class TestChangedKey:
    def test_opens_with_the_new_text_only_once_rotated(self, olga, make, now):
        key, old = make(olga)
        opened = key_access(old, HOME, now)
        changed, new = services.rotate_key(key=key, by=access_of(olga), expected=1, now=now)
        assert (changed.pk, changed.version) == (key.pk, 2)
        key_access(new, HOME, now)
        with pytest.raises(BadKey):
            key_access(old, HOME, now)
        assert not is_alive(opened, now)
        with pytest.raises(Stale):
            services.rotate_key(key=key, by=access_of(olga), expected=1, now=now)

    def test_is_rotated_by_its_maker_and_revoked_by_admins_too(self, olga, adam, erik, make, now):
        key, text = make(olga)
        with pytest.raises(Forbidden):
            services.rotate_key(key=key, by=access_of(adam), expected=None, now=now)
        with pytest.raises(Forbidden):
            services.revoke_key(key=key, by=access_of(erik), expected=None)
        services.revoke_key(key=key, by=access_of(adam), expected=None)
        with pytest.raises(BadKey):
            key_access(text, HOME, now)

    def test_cannot_outgrow_who_changes_it(self, vera, make, now):
        key, _ = make(vera, scope=Scope.READ)
        with pytest.raises(Forbidden):
            services.update_key(key=key, by=access_of(vera), changes={"scope": "write"}, expected=None, now=now)
        changed = services.update_key(key=key, by=access_of(vera), changes={"name": "b"}, expected=1, now=now)
        assert changed.name == "b"

    def test_goes_with_its_asset(self, olga, make):
        make(olga, asset_id=5)
        kept, _ = make(olga, asset_id=6)
        services.revoke_keys_of_asset(asset_id=5)
        assert list(ApiKey.objects.all()) == [kept]

    def test_use_is_written_once_a_minute(self, olga, make, now):
        key, _ = make(olga)
        for seconds, seen in ((0, 0), (59, 0), (61, 61)):
            services.note_key(key=key, now=now + timedelta(seconds=seconds))
            key.refresh_from_db()
            assert key.last_used == now + timedelta(seconds=seen)


class TestKeyAtTheDoor:
    @pytest.fixture
    def key(self, adam, plant, make):
        return lambda scope: make(adam, scope=scope)[1]

    @pytest.mark.parametrize("header", [{"Authorization": "Api-Key {}"}, {"X-API-Key": "{}"}])
    def test_is_taken_from_either_header(self, header, key, api):
        headers = {name: value.format(key(Scope.READ)) for name, value in header.items()}
        assert api(None).get("/api/sites/", headers=headers).json()["count"] == 1
        assert ApiKey.objects.get().last_used is not None

    @pytest.mark.parametrize("header", [{"Authorization": "Api-Key tt_a_b"}, {"X-API-Key": "x"}, {"X-API-Key": ""}])
    def test_that_is_wrong_is_401(self, header, db, api):
        answer = api(None).get("/api/sites/", headers=header)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"]

    @pytest.mark.parametrize(
        ("scope", "method", "path", "status"),
        [
            pytest.param(Scope.INGEST, "get", "/api/sites/", 403, id="ingest reads nothing"),
            pytest.param(Scope.READ, "get", "/api/sites/", 200, id="read reads"),
            pytest.param(Scope.READ, "post", "/api/sites/", 403, id="read writes nothing"),
            pytest.param(Scope.WRITE, "post", "/api/sites/", 201, id="write writes"),
            pytest.param(Scope.WRITE, "get", "/api/users/", 403, id="no key sees users"),
            pytest.param(Scope.WRITE, "post", "/api/users/", 403, id="no key makes users"),
            pytest.param(Scope.WRITE, "get", "/api/accounts/me/", 403, id="no key is a person"),
            pytest.param(Scope.WRITE, "delete", "/api/accounts/me/", 403, id="no key erases a person"),
            pytest.param(Scope.WRITE, "post", "/api/accounts/logout/", 403, id="no key logs out"),
            pytest.param(Scope.WRITE, "post", "/api/live/ticket/", 403, id="no key gets a ticket"),
        ],
    )
    def test_reaches_as_far_as_its_scope(self, scope, method, path, status, key, api):
        answer = getattr(api(None), method)(path, {"name": "B"}, format="json", headers={"X-API-Key": key(scope)})
        if method == "get":
            answer = api(None).get(path, headers={"X-API-Key": key(scope)})
        assert answer.status_code == status

    def test_believes_forwarded_addresses_only_behind_a_proxy(self, adam, plant, make, api, settings):
        text = make(adam, scope=Scope.READ, allowed_addresses=["203.0.113.9"])[1]
        headers = {"X-API-Key": text, "X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        assert api(None).get("/api/sites/", headers=headers).status_code == 401
        settings.BEHIND_PROXY = True
        assert api(None).get("/api/sites/", headers=headers).status_code == 200


class TestOverlap:
    """A rotation that gives machines time."""

    @pytest.fixture
    def rotated(self, olga, make, now):
        key, old = make(olga)
        key, new = services.rotate_key(key=key, by=access_of(olga), overlap=HOUR, expected=None, now=now)
        return key, old, new

    def test_lets_both_texts_open_until_it_is_over(self, rotated, now):
        _, old, new = rotated
        opened = key_access(old, HOME, now + HOUR - SECOND)
        assert opened.key_id == key_access(new, HOME, now).key_id
        assert is_alive(opened, now + HOUR - SECOND)
        with pytest.raises(BadKey):
            key_access(old, HOME, now + HOUR)
        assert not is_alive(opened, now + HOUR)
        assert key_access(new, HOME, now + HOUR)

    def test_opens_with_no_mixture_of_the_two(self, rotated, now):
        _, old, new = rotated
        for text in (old[:11] + new[11:], new[:11] + old[11:]):
            with pytest.raises(BadKey):
                key_access(text, HOME, now)

    def test_keeps_one_older_text_and_none_when_rotated_without(self, rotated, olga, now):
        key, old, new = rotated
        key, newer = services.rotate_key(key=key, by=access_of(olga), overlap=HOUR, expected=None, now=now)
        with pytest.raises(BadKey):
            key_access(old, HOME, now)
        assert key_access(new, HOME, now)
        services.rotate_key(key=key, by=access_of(olga), expected=None, now=now)
        for text in (new, newer):
            with pytest.raises(BadKey):
                key_access(text, HOME, now)

    @pytest.mark.parametrize("overlap", [timedelta(days=7, seconds=1), timedelta(seconds=-1)])
    def test_is_a_week_at_most(self, overlap, olga, make, now):
        key, _ = make(olga)
        with pytest.raises(Invalid):
            services.rotate_key(key=key, by=access_of(olga), overlap=overlap, expected=None, now=now)

    def test_ends_with_the_key_and_its_maker(self, rotated, olga, now):
        key, old, _ = rotated
        ApiKey.objects.filter(pk=key.pk).update(expires_at=now)
        with pytest.raises(BadKey):
            key_access(old, HOME, now)
        ApiKey.objects.filter(pk=key.pk).update(expires_at=None)
        User.objects.filter(pk=olga.pk).update(is_active=False)
        with pytest.raises(BadKey):
            key_access(old, HOME, now)


def reaches(user, scope, site, asset, operation, robot):
    """The rule: what the maker may do, capped by the scope, within the site and the asset."""
    role, writing = operation
    allowed = {Scope.INGEST: operation == INGEST, Scope.READ: not writing, Scope.WRITE: True}[scope]
    inside = site in {None, robot.site_id} and asset in {None, robot.pk}
    return allowed and inside and user.access().allows(role, robot.site_id)


READ, INGEST = (Role.VIEWER, False), (Role.OPERATOR, True)


class TestAuthority:
    @pytest.mark.parametrize("scope", list(Scope))
    @pytest.mark.parametrize("name", ["vera", "olga", "erik", "adam"])
    def test_of_a_key_is_its_makers_within_scope_site_and_asset(self, name, scope, request, robot, other_site):
        maker = request.getfixturevalue(name)
        edges = [(None, None), (robot.site_id, None), (other_site.pk, None), (None, robot.pk), (None, robot.pk + 1)]
        for number, (site, asset) in enumerate(edges):
            text = f"tt_aaaaaaa{number}_{'x' * 43}"
            ApiKey.objects.create(
                name="k",
                prefix=f"aaaaaaa{number}",
                digest=digest(text),
                scope=scope,
                site_id=site,
                asset_id=asset,
                created_by=maker,
                **STAMPS,
            )
            client = APIClient(headers={"X-API-Key": text})
            body = {"items": [{"asset": robot.pk, "values": {"temperature": 1.5}}]}
            ingested = client.post("/api/ingest/", body, format="json").status_code
            assert (ingested == 200) is reaches(maker, scope, site, asset, INGEST, robot), (site, asset, ingested)
            read = client.get(f"/api/equipment/{robot.pk}/").status_code
            assert (read == 200) is reaches(maker, scope, site, asset, READ, robot), (site, asset, read)
            for door in ("/api/users/", "/api/keys/", "/api/accounts/second-factor/", "/api/lockouts/"):
                assert client.get(door).status_code == 403
