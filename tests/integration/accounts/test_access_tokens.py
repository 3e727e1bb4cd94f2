"""Access tokens: what is signed, and every way of not being one of ours."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import timedelta

import jwt
import pytest
from django.conf import settings

from techtrack.accounts.tokens import BadToken, decode_access, encode_access
from techtrack.core import clock

SID = str(uuid.uuid4())


def forged(now, *, key=None, algorithm="HS256", headers=None, without=(), **claims):
    """A token that differs from a good one in what the test says."""
    good = encode_access(7, SID, now)
    header = jwt.get_unverified_header(good) | (headers or {})
    payload = jwt.decode(good, options={"verify_signature": False}) | claims
    payload = {name: value for name, value in payload.items() if name not in without}
    secret = "" if algorithm == "none" else key or settings.JWT_KEY
    header.pop("alg", None)
    return jwt.encode(payload, secret, algorithm=algorithm, headers=header)


def raw(header, payload):
    def part(value):
        return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")

    return b".".join([part(header), part(payload), b"c2lnbmF0dXJl"]).decode()


class TestAccessToken:
    def test_says_who_and_in_which_session(self, now):
        claims = decode_access(encode_access(7, SID, now), now)
        assert (claims.user_id, claims.session_id) == (7, SID)
        assert claims.expires_at == now + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)

    def test_lives_ten_minutes_and_not_a_second_more(self, now):
        token = encode_access(7, SID, now)
        decode_access(token, now + timedelta(seconds=599))
        with pytest.raises(BadToken):
            decode_access(token, now + timedelta(seconds=600))

    def test_names_its_type_and_its_key(self, now):
        header = jwt.get_unverified_header(encode_access(7, SID, now))
        assert header["typ"] == "at+jwt"
        assert header["alg"] == "HS256"
        assert header["kid"]

    def test_is_new_each_time(self, now):
        assert encode_access(7, SID, now) != encode_access(7, SID, now)


FORGED = [
    pytest.param({"algorithm": "none"}, id="no algorithm"),
    pytest.param({"algorithm": "HS512"}, id="another algorithm"),
    pytest.param({"key": "x" * 64}, id="another key"),
    pytest.param({"headers": {"typ": "JWT"}}, id="another type"),
    pytest.param({"headers": {"typ": "rt+jwt"}}, id="a refresh token's type"),
    pytest.param({"headers": {"kid": "00000000"}}, id="another key id"),
    pytest.param({"aud": "other"}, id="another audience"),
    pytest.param({"aud": ["techtrack"]}, id="a list of audiences"),
    pytest.param({"iss": "other"}, id="another issuer"),
    pytest.param({"sub": 7}, id="subject as a number"),
    pytest.param({"sub": "seven"}, id="subject as a word"),
    pytest.param({"sub": ""}, id="empty subject"),
    pytest.param({"sub": "-7"}, id="negative subject"),
    pytest.param({"sub": "\u0667"}, id="subject in Arabic digits"),
    pytest.param({"sub": "9" * 30}, id="subject beyond every id"),
    pytest.param({"sub": None}, id="null subject"),
    pytest.param({"sub": ["7"]}, id="subject as a list"),
    pytest.param({"sub": {"id": "7"}}, id="subject as an object"),
    pytest.param({"sid": "no-uuid"}, id="session that is no UUID"),
    pytest.param({"sid": 1}, id="session as a number"),
    pytest.param({"exp": "2999-01-01"}, id="expiry as text"),
    pytest.param({"exp": 1e400}, id="expiry infinite"),
    pytest.param({"exp": 10**30}, id="expiry beyond all times"),
    pytest.param({"exp": True}, id="expiry as a boolean"),
    pytest.param({"iat": "now"}, id="issue time as text"),
    pytest.param({"nbf": 1.5}, id="fractional start"),
    pytest.param({"jti": 5}, id="id as a number"),
    *(
        pytest.param({"without": (name,)}, id=f"without {name}")
        for name in ("iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti")
    ),
]


class TestForgedToken:
    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("changes", FORGED)
    def test_is_refused(self, changes, now):
        with pytest.raises(BadToken):
            decode_access(forged(now, **changes), now)

    def test_that_starts_in_the_future_is_refused(self, now):
        with pytest.raises(BadToken):
            decode_access(encode_access(7, SID, now + timedelta(minutes=2)), now)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="nothing"),
            pytest.param("a.b.c", id="three letters"),
            pytest.param("é.é.é", id="beyond ASCII"),
            pytest.param("." * 5000, id="too long"),
            pytest.param(raw(b"[" * 2500, {}), id="header nested deeper than Python follows"),
            pytest.param(raw([], {}), id="header that is a list"),
            pytest.param(raw({"alg": "HS256", "typ": "at+jwt"}, []), id="payload that is a list"),
            pytest.param(raw({"alg": ["HS256"]}, {}), id="algorithm that is a list"),
            pytest.param(raw({"alg": "HS256", "kid": 7}, {}), id="key id that is a number"),
        ],
    )
    def test_text_that_is_no_token_is_refused(self, text, now):
        with pytest.raises(BadToken):
            decode_access(text, now)


class TestBearer:
    @pytest.mark.parametrize(
        "header",
        [
            pytest.param("Bearer", id="no token"),
            pytest.param("Bearer a b", id="two tokens"),
            pytest.param("Bearer x.y.z", id="not a token"),
            pytest.param("Basic YWRhbTphZGFt", id="another scheme"),
        ],
    )
    def test_that_is_wrong_is_401_with_a_challenge(self, header, api):
        answer = api(None).get("/api/accounts/me/", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert answer["Content-Type"] == "application/problem+json"

    def test_for_a_session_that_never_was_is_401(self, olga, api):
        token = encode_access(olga.pk, SID, clock.now())
        assert api(None).get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"}).status_code == 401


class TestRotation:
    OLD, NEW = "the key of before " * 3, "the key of now " * 3

    def test_reads_what_was_signed_before_and_signs_with_the_new_key(self, settings, now):
        settings.JWT_KEY = self.OLD
        before = encode_access(7, SID, now)
        settings.JWT_KEY, settings.JWT_OLD_KEYS = self.NEW, [self.OLD]
        assert decode_access(before, now).user_id == 7
        after = encode_access(7, SID, now)
        assert jwt.get_unverified_header(after)["kid"] != jwt.get_unverified_header(before)["kid"]
        settings.JWT_OLD_KEYS = []
        assert decode_access(after, now).user_id == 7
        with pytest.raises(BadToken):
            decode_access(before, now)

    def test_lets_no_old_key_sign_under_the_name_of_the_new_one(self, settings, now):
        settings.JWT_KEY, settings.JWT_OLD_KEYS = self.NEW, [self.OLD]
        with pytest.raises(BadToken):
            decode_access(forged(now, key=self.OLD), now)
