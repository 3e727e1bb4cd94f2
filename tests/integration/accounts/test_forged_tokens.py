"""Forty tokens that are not ours, of a session that is: each is a 401 at every door, and closes the socket."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import timedelta
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from rest_framework.test import APIClient

from techtrack.accounts import services
from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.core.errors import Unauthenticated
from techtrack.live.admission import Request, introduced

DOORS = [
    ("get", "/api/accounts/me/", None),
    ("get", "/api/equipment/", None),
    ("post", "/api/ingest/", {"items": []}),
    ("post", "/api/live/ticket/", None),
]


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Forge:
    """Makes tokens that differ from a good one of a living session in one thing."""

    def __init__(self, tokens, ticket, key) -> None:
        self.good, self.refresh, self.ticket, self.key = tokens.access, tokens.refresh, ticket, key
        self.header = jwt.get_unverified_header(self.good)
        self.claims = jwt.decode(self.good, options={"verify_signature": False})

    def signed(self, header=None, key=None, algorithm="HS256", **claims):
        headers = {name: value for name, value in (self.header | (header or {})).items() if name != "alg"}
        kept = {name: value for name, value in (self.claims | claims).items() if value is not ...}
        return jwt.encode(kept, settings.JWT_KEY if key is None else key, algorithm=algorithm, headers=headers)

    def unsigned(self, algorithm):
        return f"{part(self.header | {'alg': algorithm})}.{part(self.claims)}."

    def resigned(self, payload, header=None):
        """A payload in exactly this writing, signed with the right key."""
        text = f"{part(header or self.header)}.{part(payload)}"
        signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
            text.encode(), settings.JWT_KEY.encode()
        )
        return f"{text}.{part(signature)}"

    def twice(self, name, value):
        """The claims, one of them written twice: what counts is the last, for whoever reads so."""
        return self.resigned(json.dumps(self.claims)[:-1].encode() + f', "{name}": {json.dumps(value)}}}'.encode())


def later(forge, **change):
    return int((clock.now() + timedelta(**change)).timestamp())


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = str(uuid.UUID(int=7))
FORGERIES = {
    "alg none": lambda f: f.unsigned("none"),
    "alg None": lambda f: f.unsigned("None"),
    "alg NONE": lambda f: f.unsigned("NONE"),
    "alg nOnE": lambda f: f.unsigned("nOnE"),
    "alg missing": lambda f: f.resigned(f.claims, {k: v for k, v in f.header.items() if k != "alg"}),
    "alg HS512 with our key": lambda f: f.signed(algorithm="HS512"),
    "alg RS256 with a key of one's own": lambda f: f.signed(key=RSA, algorithm="RS256"),
    "alg RS256 said, HS256 signed": lambda f: f.resigned(f.claims, f.header | {"alg": "RS256"}),
    "empty key": lambda f: f.signed(key="\0" * 32),
    "another key": lambda f: f.signed(key="x" * 64),
    "the key of the pages": lambda f: f.signed(key=settings.SECRET_KEY),
    "the id of the key as the key": lambda f: f.signed(key=f.header["kid"] * 8),
    "empty signature": lambda f: f.good.rpartition(".")[0] + ".",
    "signature cut": lambda f: f.good[:-6],
    "signature of another token": lambda f: f.signed(sub="999999").rpartition(".")[0] + f.good[f.good.rindex(".") :],
    "jku": lambda f: f.signed({"jku": "https://attacker.example/keys", "kid": "theirs"}, key="x" * 64),
    "x5u": lambda f: f.signed({"x5u": "https://attacker.example/chain"}, key="x" * 64),
    "jwk": lambda f: f.signed({"jwk": {"kty": "oct", "k": part(b"x" * 64)}}, key="x" * 64),
    "kid is a path": lambda f: f.signed({"kid": "../../../../dev/null"}, key="\0" * 32),
    "kid is SQL": lambda f: f.signed({"kid": "' UNION SELECT 'x' --"}, key="x" * 64),
    "kid unknown": lambda f: f.signed({"kid": "00000000"}),
    "kid missing": lambda f: f.resigned(f.claims, {k: v for k, v in f.header.items() if k != "kid"}),
    "kid a list": lambda f: f.resigned(f.claims, f.header | {"kid": [f.header["kid"]]}),
    "critical extension": lambda f: f.resigned(f.claims, f.header | {"crit": ["unheard-of"], "unheard-of": 1}),
    "typ JWT": lambda f: f.signed({"typ": "JWT"}),
    "typ of a refresh token": lambda f: f.signed({"typ": "rt+jwt"}),
    "expired": lambda f: f.signed(exp=later(f, seconds=-1)),
    "not yet": lambda f: f.signed(nbf=later(f, minutes=5)),
    "issued in the future": lambda f: f.signed(iat=later(f, minutes=5)),
    "exp as text": lambda f: f.signed(exp=str(later(f, minutes=5))),
    "exp 1e400": lambda f: f.resigned(json.dumps(f.claims).replace(str(f.claims["exp"]), "1e400").encode()),
    "exp negative": lambda f: f.signed(exp=-1),
    "exp in a thousand years": lambda f: f.signed(exp=f.claims["exp"] + 10**11),
    "exp missing": lambda f: f.signed(exp=...),
    "another issuer": lambda f: f.signed(iss="elsewhere"),
    "another audience": lambda f: f.signed(aud="elsewhere"),
    "subject of another": lambda f: f.signed(sub="999999"),
    "subject abc": lambda f: f.signed(sub="abc"),
    "subject NUL": lambda f: f.signed(sub="1\0"),
    "subject a list": lambda f: f.signed(sub=["1"]),
    "subject an object": lambda f: f.signed(sub={"id": "1"}),
    "session of nobody": lambda f: f.signed(sid=OTHER),
    "session no UUID": lambda f: f.signed(sid="' OR 1=1 --"),
    "a claim twice": lambda f: f.twice("sub", "999999"),
    "refresh token as access token": lambda f: f.refresh,
    "ticket as access token": lambda f: f.ticket,
    "API key as access token": lambda f: f.key,
    "cut in the middle": lambda f: f.good[: len(f.good) // 2],
    "one megabyte": lambda f: f.good + "A" * 2**20,
    "beyond ASCII": lambda f: f.good[:-2] + "éé",
    "payload that is a list": lambda f: f.resigned([1]),
    "payload nested deeply": lambda f: f.resigned(b"[" * 900 + b"]" * 900),
}


@pytest.fixture
def forge(olga, plant):
    now = clock.now()
    tokens = services.start_session(user=olga, address="", device="", now=now)
    _, key = services.create_key(
        by=access_of(olga),
        name="k",
        scope="write",
        site=None,
        asset_id=None,
        expires_at=None,
        allowed_addresses=[],
        now=now,
    )
    return Forge(tokens, services.issue_ticket(by=access_of(olga), now=now), key)


def socket_says(token):
    """What the live socket makes of a token, in its header and in its first message."""
    scope = {"path": "/ws/live/", "headers": [(b"authorization", f"Bearer {token}".encode("latin-1"))]}
    return [Request(scope).access, lambda: introduced(SimpleNamespace(token=token, ticket=None))]


@pytest.mark.filterwarnings("ignore")
class TestForgedToken:
    @pytest.mark.parametrize("name", FORGERIES)
    def test_opens_nothing(self, name, forge):
        token = FORGERIES[name](forge)
        client = APIClient(headers={"Authorization": f"Bearer {token}".encode().decode("latin-1")})
        answers = [getattr(client, method)(path, body, format="json") for method, path, body in DOORS]
        assert [answer.status_code for answer in answers] == [401] * len(DOORS)
        assert all(answer["WWW-Authenticate"].startswith("Bearer") for answer in answers)
        verified = APIClient().post("/api/token/verify/", {"token": token}, format="json")
        assert verified.status_code in ({401} if len(token) <= 4096 else {400})
        for opens in socket_says(token):
            with pytest.raises(Unauthenticated):
                opens()

    def test_there_are_forty(self):
        assert len(FORGERIES) >= 40

    def test_differs_in_nothing_else_from_one_that_opens_all(self, forge):
        for token in (forge.good, forge.signed(), forge.resigned(forge.claims)):
            client = APIClient(headers={"Authorization": f"Bearer {token}"})
            answers = [getattr(client, method)(path, body, format="json") for method, path, body in DOORS]
            assert 401 not in [answer.status_code for answer in answers]
            assert all(opens() is not None for opens in socket_says(token))

    def test_that_is_a_refresh_token_of_the_wrong_kind_renews_nothing(self, forge):
        for token in (forge.good, forge.ticket, forge.key):
            answer = APIClient().post("/api/token/refresh/", {"refresh": token}, format="json")
            assert answer.status_code == 401
