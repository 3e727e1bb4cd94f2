"""API keys: who makes them, what they open, and when they stop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts import services
from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.models import ApiKey, Membership, User
from techtrack.accounts.queries import BadKey, access_of, is_alive, key_access
from techtrack.core.errors import Forbidden, Invalid, Stale

HOME = "192.0.2.1"


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
