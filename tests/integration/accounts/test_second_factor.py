"""Second factors: the codes of RFC 6238, enrolling, logging in with one, recovery, and what asks for a recent proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from techtrack.accounts import services
from techtrack.accounts.domain import codes
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Lockout, Membership, RecoveryCode, SecondFactor, Session, User
from techtrack.accounts.queries import access_of, session_access
from techtrack.accounts.services.second_factor import NoSecondFactor, WrongCode, spend_code
from techtrack.accounts.services.step_up import ReauthenticationRequired
from techtrack.core import clock
from tests.factories import PASSWORD

DOOR = "/api/accounts/second-factor/"
# RFC 6238, appendix B: SHA-1, the secret is the ASCII text 12345678901234567890; the last six of eight digits.
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.fixture
def guarded(olga):
    """Olga with a second factor; returns its seed."""
    seed = codes.new_seed()
    started = clock.now()
    SecondFactor.objects.create(
        user=olga, sealed=services.second_factor.seal(seed), made_at=started, confirmed_at=started
    )
    return seed


def shown(seed, moment=None):
    return codes.code_at(seed, moment or clock.now())


def wrong(seed):
    """Six digits that the app shows at no moment near now."""
    near = {shown(seed, clock.now() + timedelta(seconds=30 * step)) for step in range(-3, 4)}
    return next(text for number in range(10) if (text := f"{number:06}") not in near)


def log_in(door="/api/accounts/login/", **changes):
    body = {"username": "olga", "password": PASSWORD} | changes
    return APIClient().post(door, body, format="json")


def test_a_seed_is_sealed_anew_with_the_present_key(guarded, olga, settings):
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key, which is long enough for it"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert services.second_factor.reseal_seeds() == 1
    assert services.second_factor.reseal_seeds() == 0
    settings.SECRET_KEY_FALLBACKS = []
    factor = SecondFactor.objects.get()
    spend_code(factor=factor, code=shown(guarded), now=clock.now())


class TestCodes:
    @pytest.mark.parametrize(("seconds", "code"), VECTORS)
    def test_are_those_of_rfc_6238(self, seconds, code):
        moment = datetime.fromtimestamp(seconds, UTC)
        assert codes.code_at(SEED, moment) == code
        assert codes.step_of(code, SEED, moment) == seconds // 30

    @pytest.mark.parametrize(("seconds", "good"), [(-30, True), (30, True), (-90, False), (90, False)])
    def test_of_about_now_are_taken(self, seconds, good, now):
        code = codes.code_at(SEED, now + timedelta(seconds=seconds))
        assert (codes.step_of(code, SEED, now) is not None) is good

    @pytest.mark.parametrize("text", ["", "12345", "1234567", "28 7082", "٢٨٧٠٨٢", "28708a"])
    def test_are_six_digits(self, text):
        assert codes.step_of(text, SEED, datetime.fromtimestamp(59, UTC)) is None

    def test_of_recovery_are_read_however_they_were_copied(self):
        made = services.second_factor.new_recovery_codes()
        assert len(set(made)) == 10
        assert codes.plain_recovery_code(f" {made[0].upper()} ") == made[0].replace("-", "")


class TestEnrolling:
    def test_from_the_secret_to_a_login_that_needs_it(self, olga, bearer):
        client = bearer(log_in().json()["access"])
        assert client.get(DOOR).json() == {"enabled": False, "confirmed_at": None, "recovery_codes_left": 0}
        made = client.post(DOOR, {"password": PASSWORD}, format="json")
        assert made.status_code == 201
        assert made["Cache-Control"] == "no-store"
        assert made.json()["uri"].startswith("otpauth://totp/TechTrack:olga?")
        assert log_in().status_code == 200  # it does not count yet
        code = shown(made.json()["secret"])
        confirmed = client.post(f"{DOOR}confirm/", {"otp": code}, format="json")
        assert confirmed.status_code == 200
        assert len(confirmed.json()["recovery_codes"]) == 10
        assert client.get(DOOR).json()["recovery_codes_left"] == 10
        assert log_in().status_code == 401
        later = shown(made.json()["secret"], clock.now() + timedelta(seconds=30))
        assert log_in(otp=later).status_code == 200

    def test_needs_the_password(self, olga, bearer):
        client = bearer(log_in().json()["access"])
        answer = client.post(DOOR, {"password": "something else"}, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/password"
        assert not SecondFactor.objects.exists()

    def test_is_not_confirmed_by_another_code(self, olga, bearer):
        client = bearer(log_in().json()["access"])
        seed = client.post(DOOR, {"password": PASSWORD}, format="json").json()["secret"]
        answer = client.post(f"{DOOR}confirm/", {"otp": wrong(seed)}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "wrong_code")
        assert log_in().status_code == 200

    def test_does_not_replace_one_that_counts(self, olga, guarded, bearer):
        client = bearer(log_in(otp=shown(guarded)).json()["access"])
        assert client.post(DOOR, {"password": PASSWORD}, format="json").status_code == 409

    def test_without_a_secret_has_nothing_to_confirm(self, olga, api):
        assert api(olga).post(f"{DOOR}confirm/", {"otp": "123456"}, format="json").status_code == 409

    def test_keeps_the_secret_sealed(self, olga, guarded):
        assert guarded not in str(SecondFactor.objects.values().get())

    def test_is_not_for_keys(self, olga, now):
        text = services.create_key(
            by=access_of(olga),
            name="k",
            scope="write",
            site=None,
            asset_id=None,
            expires_at=None,
            allowed_addresses=[],
            now=now,
        )[1]
        client = APIClient(headers={"X-API-Key": text})
        assert client.post(DOOR, {"password": PASSWORD}, format="json").status_code == 403


class TestLogIn:
    @pytest.mark.parametrize("door", ["/api/accounts/login/", "/api/token/"])
    def test_says_that_a_code_is_missing_only_to_who_has_the_password(self, door, olga, guarded):
        answer = log_in(door)
        assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
        assert log_in(door, password="something else").json()["code"] == "wrong_credentials"
        assert log_in(door, otp=shown(guarded)).status_code == 200

    def test_takes_a_code_once(self, olga, guarded):
        code = shown(guarded)
        assert log_in(otp=code).status_code == 200
        assert log_in(otp=code).json()["code"] == "wrong_credentials"

    def test_takes_no_older_code_than_the_last(self, olga, guarded):
        now = clock.now()
        assert log_in(otp=shown(guarded, now + timedelta(seconds=30))).status_code == 200
        assert log_in(otp=shown(guarded, now)).status_code == 401

    def test_takes_a_recovery_code_once(self, olga, guarded):
        code = services.second_factor.new_recovery_codes()[0]
        RecoveryCode.objects.create(user=olga, digest=services.second_factor.hash_of(code))
        assert log_in(otp=code.upper()).status_code == 200
        assert log_in(otp=code).status_code == 401

    def test_counts_wrong_codes_as_wrong_guesses(self, olga, guarded):
        for _ in range(5):
            assert log_in(otp=wrong(guarded)).status_code == 401
        assert log_in(otp=shown(guarded)).status_code == 429

    def test_forgets_no_wrong_code_because_the_password_is_right(self, olga, guarded):
        for _ in range(4):
            log_in(otp=wrong(guarded))
            assert log_in().json()["code"] == "second_factor_required"
        log_in(otp=wrong(guarded))
        assert log_in().status_code == 429

    def test_in_a_browser_asks_for_the_code(self, olga, guarded):
        client = Client()
        page = client.post("/login/", {"username": "olga", "password": PASSWORD})
        assert "authenticator app" in page.content.decode()
        assert "_auth_user_id" not in client.session
        body = {"username": "olga", "password": PASSWORD, "otp": shown(guarded)}
        assert client.post("/login/", body).status_code == 302
        assert client.session["_auth_user_id"] == str(olga.pk)

    def test_has_no_way_around_by_the_admin_or_django(self, olga, guarded):
        client = Client()
        assert not client.login(username="olga", password=PASSWORD)
        answer = client.get("/admin/")
        assert answer.status_code == 302
        answer = client.get(answer["Location"])
        assert answer["Location"] == "/login/?next=/admin/"
        olga_in = Client()
        olga_in.force_login(olga)
        assert olga_in.get("/admin/login/").status_code == 403


class TestStepUp:
    @pytest.fixture
    def old(self, olga, guarded, now):
        """Olga's session of an hour ago."""
        tokens = services.start_session(user=olga, address="", device="", now=clock.now())
        Session.objects.update(auth_time=clock.now() - timedelta(hours=1))
        return tokens

    def test_is_asked_of_dangerous_things_and_passes_after_a_code(self, olga, guarded, old, bearer):
        client = bearer(old.access)
        refused = client.delete(DOOR)
        assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")
        assert client.post(f"{DOOR}recovery-codes/").status_code == 403
        door = "/api/accounts/reauthenticate/"
        assert client.post(door, {"password": PASSWORD}, format="json").status_code == 400
        assert client.post(door, {"otp": wrong(guarded)}, format="json").json()["code"] == "wrong_code"
        assert client.post(door, {"otp": shown(guarded)}, format="json").status_code == 204
        assert len(client.post(f"{DOOR}recovery-codes/").json()["recovery_codes"]) == 10
        assert client.delete(DOOR).status_code == 204
        assert not RecoveryCode.objects.exists()
        assert log_in().status_code == 200

    def test_is_asked_of_making_changing_and_rotating_keys(self, olga, guarded, old, plant, bearer):
        by, now = session_access(old.access, clock.now()), clock.now()
        made = {"name": "k", "scope": "read", "site": None, "asset_id": None, "expires_at": None}
        with pytest.raises(ReauthenticationRequired):
            services.create_key(by=by, allowed_addresses=[], now=now, **made)
        key, _ = services.create_key(by=access_of(olga), allowed_addresses=[], now=now, **made)
        with pytest.raises(ReauthenticationRequired):
            services.rotate_key(key=key, by=by, expected=None, now=now)
        with pytest.raises(ReauthenticationRequired):
            services.update_key(key=key, by=by, changes={"name": "other"}, expected=None, now=now)

    def test_is_asked_of_inviting(self, olga, guarded, old, plant):
        Membership.objects.filter(user=olga).update(role=Role.ADMIN)
        by, now = session_access(old.access, clock.now()), clock.now()
        with pytest.raises(ReauthenticationRequired):
            services.invite(by=by, email="x@example.org", roles={plant.pk: Role.ADMIN}, now=now)
        made = services.invite(by=access_of(olga), email="x@example.org", roles={plant.pk: Role.VIEWER}, now=now)
        with pytest.raises(ReauthenticationRequired):
            services.update_invitation(
                invitation=made, by=by, changes={"roles": {plant.pk: Role.ADMIN}}, expected=None, now=now
            )

    def test_is_asked_at_the_desk_too(self, olga, guarded, vera):
        User.objects.filter(pk=olga.pk).update(is_staff=True, is_superuser=True)
        desk = Client()
        desk.force_login(User.objects.get(pk=olga.pk))
        Session.objects.update(auth_time=clock.now() - timedelta(hours=1))
        body = {"password1": "violet-otter-77", "password2": "violet-otter-77", "usable_password": "true"}
        answer = desk.post(f"/admin/accounts/user/{vera.pk}/password/", body, follow=True)
        assert b"Show who you are once more" in answer.content
        assert User.objects.get(pk=vera.pk).check_password(PASSWORD)

    def test_is_not_asked_of_people_without_a_second_factor(self, olga, now):
        tokens = services.start_session(user=olga, address="", device="", now=now)
        by = session_access(tokens.access, now)
        services.require_recent(by=by, now=now + timedelta(minutes=5))
        Session.objects.update(auth_time=now - timedelta(days=20))
        services.require_recent(by=by, now=now)

    def test_lasts_a_quarter_of_an_hour(self, olga, guarded):
        now = clock.now()
        by = session_access(services.start_session(user=olga, address="", device="", now=now).access, now)
        services.require_recent(by=by, now=now + timedelta(minutes=15))
        with pytest.raises(ReauthenticationRequired):
            services.require_recent(by=by, now=now + timedelta(minutes=15, seconds=1))

    def test_of_a_browser_is_kept_in_its_session(self, olga, guarded):
        client = Client()
        client.post("/login/", {"username": "olga", "password": PASSWORD, "otp": shown(guarded)})
        by, now = replace(access_of(olga), session_id=client.session["session"]), clock.now()
        services.require_recent(by=by, now=now)
        with pytest.raises(ReauthenticationRequired):
            services.require_recent(by=by, now=now + timedelta(minutes=16))
        code = shown(guarded, now + timedelta(seconds=30))
        services.reauthenticate(user=olga, by=by, password=None, otp=code, now=now + timedelta(minutes=0))
        services.require_recent(by=by, now=now + timedelta(minutes=14))

    def test_by_password_serves_people_without_a_second_factor(self, olga, bearer):
        client = bearer(log_in().json()["access"])
        door = "/api/accounts/reauthenticate/"
        assert client.post(door, {"password": "something else"}, format="json").status_code == 400
        assert client.post(door, {"password": PASSWORD}, format="json").status_code == 204
        assert client.post(door, {}, format="json").status_code == 400

    def test_guesses_are_counted(self, olga, guarded, old, bearer):
        client = bearer(old.access)
        for _ in range(5):
            client.post("/api/accounts/reauthenticate/", {"otp": wrong(guarded)}, format="json")
        answer = client.post("/api/accounts/reauthenticate/", {"otp": shown(guarded)}, format="json")
        assert answer.status_code == 429
        assert Lockout.objects.get().user_id == olga.pk


class TestLostPhone:
    def test_is_helped_by_an_administrator(self, olga, guarded, adam, api):
        assert api(adam).delete(f"/api/users/{olga.pk}/second-factor/").status_code == 204
        assert log_in().status_code == 200
        assert api(adam).delete(f"/api/users/{olga.pk}/second-factor/").status_code == 409

    def test_is_not_helped_by_others(self, olga, guarded, vera, api):
        assert api(vera).delete(f"/api/users/{olga.pk}/second-factor/").status_code == 404
        assert api(None).delete(f"/api/users/{olga.pk}/second-factor/").status_code == 401


class TestSpending:
    def test_needs_the_seed_to_be_readable_or_a_recovery_code(self, olga, now):
        factor = SecondFactor.objects.create(user=olga, sealed="garbage", made_at=now, confirmed_at=now)
        code = services.second_factor.new_recovery_codes()[0]
        RecoveryCode.objects.create(user=olga, digest=services.second_factor.hash_of(code))
        spend_code(factor=factor, code=code, now=now)
        with pytest.raises(WrongCode):
            spend_code(factor=factor, code=code, now=now)

    def test_of_nobodys_factor_is_a_conflict(self, olga, now):
        with pytest.raises(NoSecondFactor):
            services.renew_recovery_codes(user=olga, by=access_of(olga), now=now)
