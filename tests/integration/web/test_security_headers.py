"""What browsers are told: on every route, with every status, by every door, and which origins may read it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.test import Client
from rest_framework.exceptions import Throttled

from techtrack.assets.api.viewsets import EquipmentViewSet
from techtrack.core import headers
from techtrack.core.api import problems
from techtrack.live.admission import Refused, Request
from techtrack.live.socket import LiveSocket
from techtrack.web.views import session
from tests import factories
from tests.architecture.house import ROOT
from tests.architecture.routes import routes
from tests.integration.telemetry.test_gateway import Door

PAGE_POLICY = {"object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'self'"}
ORIGIN = "https://app.example.org"
NONCE = re.compile(r"'nonce-[\w-]{20,}'")


def policy_of(told: Mapping[str, str]) -> dict[str, str]:
    """The directives of a Content-Security-Policy."""
    parts = (part.strip().partition(" ") for part in told.get("Content-Security-Policy", "").split(";"))
    return {name: sources for name, _, sources in parts}


def complaints(told: Mapping[str, str], path: str = "/") -> list[str]:
    """What an answer fails to tell a browser."""
    missing = [f"{name} is not {value}" for name, value in headers.ALWAYS.items() if told.get(name) != value]
    policy = policy_of(told)
    is_page = told.get("Content-Type", "").startswith("text/html")
    wanted = PAGE_POLICY if is_page else {"default-src": "'none'", "frame-ancestors": "'none'"}
    missing += [f"{name} is not {value}" for name, value in wanted.items() if policy.get(name) != value]
    if "unsafe" in policy.get("script-src", "") or "*" in str(policy) or "http" in str(policy):
        missing.append(f"scripts of strangers run: {policy}")
    if is_page and not path.startswith("/admin/") and not NONCE.fullmatch(policy.get("script-src", "")):
        missing.append("scripts run without a nonce")
    if "unsafe" in str(policy) and not path.startswith(("/swagger/", "/redoc/")):
        missing.append("styles of strangers apply")
    if "Cache-Control" not in told:
        missing.append("nobody says whether it may be kept")
    if told.get("Access-Control-Allow-Origin"):
        missing.append("a foreign page may read it")
    return missing


@pytest.fixture
def browser(adam) -> Client:
    """Adam's browser, which takes a 500 as an answer."""
    adam.is_staff = adam.is_superuser = True
    adam.save()
    client = Client(raise_request_exception=False)
    client.force_login(adam)
    return client


def every_path() -> list[str]:
    """Every address of the resolver, variables filled with an id; those of a language or a model's admin once."""
    return sorted({re.sub(r"\{\}", "1", route.path) for route in routes("/") if "<" not in route.path})


class TestEveryRoute:
    @pytest.mark.parametrize("known", [True, False], ids=["adam", "a stranger"])
    def test_tells_browsers_what_they_may_do(self, browser, robot, known):
        client = browser if known else Client(raise_request_exception=False)
        found, statuses = {}, set()
        for path in every_path():
            for method in ("GET", "POST", "OPTIONS", "TRACE"):
                answer = client.generic(method, path)
                statuses.add(answer.status_code)
                if wrong := complaints(answer.headers, path):
                    found[f"{method} {path} {answer.status_code}"] = wrong
                assert answer.status_code < 500 or path == "/readyz", (method, path, answer.content[:300])
        assert found == {}
        assert len(every_path()) > 100
        assert statuses >= {200, 401, 404, 405} if not known else {200, 302, 400, 404, 405}


def api(browser: Client, method: str, path: str, body: str = "", **more: Any) -> Any:
    """One request of a program, with a token's freedom from CSRF."""
    browser.handler.enforce_csrf_checks = False
    return browser.generic(method, path, body, content_type=more.pop("kind", "application/json"), headers=more)


class TestEveryStatus:
    """Each row makes the status happen; the page and the API."""

    def check(self, answer: Any, status: int, path: str = "/") -> None:
        assert answer.status_code == status, answer.content
        assert complaints(answer.headers, path) == []

    def test_200_of_a_page(self, browser):
        self.check(browser.get("/"), 200)

    def test_200_of_a_file(self, db):
        answer = Client().get("/static/web/page.js")
        answer.close()
        assert answer.status_code == 200
        assert complaints(answer.headers) == []

    def test_304_of_a_file(self, db):
        first = Client().get("/static/web/page.js")
        first.close()
        tag = first.headers["Last-Modified"]
        self.check(Client().get("/static/web/page.js", headers={"If-Modified-Since": tag}), 304)

    @pytest.mark.parametrize("path", ["/static/web/none.js", "/static/", "/static/web/", "/.git/config", "/.env"])
    def test_404_of_what_is_no_file_of_ours(self, db, path):
        self.check(Client().get(path), 404)

    def test_304_of_the_api(self, browser):
        tag = api(browser, "GET", "/api/sites/").headers.get("ETag")
        if tag is not None:
            self.check(api(browser, "GET", "/api/sites/", **{"If-None-Match": tag}), 304)

    def test_302_to_the_login(self, db):
        self.check(Client().get("/"), 302)

    def test_301_to_https(self, db, settings):
        settings.SECURE_SSL_REDIRECT = True
        self.check(Client().get("/login/"), 301)

    def test_no_301_of_the_api(self, db, settings):
        """A program that sends its token in the clear has to find out."""
        settings.SECURE_SSL_REDIRECT = True
        self.check(Client().get("/api/sites/"), 401)

    def test_400_of_a_foreign_host(self, db):
        self.check(Client().get("/api/sites/", headers={"Host": "example.org"}), 400)

    def test_400_of_a_page_of_a_foreign_host(self, db):
        self.check(Client().get("/login/", headers={"Host": "example.org"}), 400)

    def test_400_of_a_body(self, browser):
        self.check(api(browser, "POST", "/api/sites/", "{"), 400)

    def test_401(self, db):
        self.check(Client().get("/api/sites/"), 401)

    def test_403_of_a_form_without_its_token(self, db):
        self.check(Client(enforce_csrf_checks=True).post("/login/", {}), 403)

    def test_403_of_the_api(self, vera):
        client = Client()
        client.force_login(vera)
        self.check(client.post("/api/sites/", {"name": "Hall"}, content_type="application/json"), 403)

    @pytest.mark.parametrize("path", ["/no/such/page/", "/api/none/", "/admin/none/", "/%ff"])
    def test_404(self, browser, path):
        self.check(browser.get(path), 404, path)

    def test_405_of_a_page_and_of_the_api(self, browser):
        self.check(browser.put("/logout/"), 405)
        self.check(api(browser, "PUT", "/api/sites/"), 405)

    def test_406(self, browser):
        self.check(api(browser, "GET", "/api/sites/", Accept="text/html"), 406)

    def test_412(self, browser, robot):
        path = f"/api/equipment/{robot.pk}/"
        self.check(api(browser, "PATCH", path, '{"name": "B"}', **{"If-Match": '"99"'}), 412)

    def test_413(self, browser, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
        self.check(api(browser, "POST", "/api/sites/", '{"name": "too long for this"}'), 413)

    def test_415(self, browser):
        self.check(api(browser, "POST", "/api/sites/", "<a/>", kind="application/xml"), 415)

    @pytest.mark.parametrize(
        ("error", "status"),
        [(Throttled(wait=5), 429), (ZeroDivisionError(), 500), (OperationalError("away"), 503)],
        ids=["429", "500", "503"],
    )
    def test_what_breaks_in_the_api(self, browser, monkeypatch, error, status):
        def broken(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(EquipmentViewSet, "list", broken)
        self.check(api(browser, "GET", "/api/equipment/"), status)

    @pytest.mark.parametrize(("error", "status"), [(ZeroDivisionError(), 500), (OperationalError("away"), 503)])
    def test_what_breaks_in_a_page(self, db, monkeypatch, error, status):
        def broken(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(session.LogIn, "get", broken)
        self.check(Client(raise_request_exception=False).get("/login/"), status)

    @pytest.mark.parametrize("path", ["/swagger/", "/redoc/", "/login/"])
    def test_each_page_with_scripts(self, db, path):
        answer = Client().get(path)
        self.check(answer, 200, path)
        for tag in re.findall(r"<script[^>]*>", answer.content.decode()):
            named = re.search(r'nonce="([^"]+)"', tag)
            assert named, tag
            assert f"'nonce-{named[1]}'" in answer.headers["Content-Security-Policy"]

    def test_no_two_pages_have_the_same_nonce(self, db):
        assert len({policy_of(Client().get("/login/").headers)["script-src"] for _ in range(20)}) == 20

    def test_a_planted_door_without_headers_is_caught(self):
        assert complaints({"Content-Type": "text/html"})
        assert complaints(headers.always() | {"Content-Type": "text/html", "Cache-Control": "no-store"})
        loose = {"Content-Security-Policy": headers.NOTHING + "; script-src 'unsafe-inline'", "Cache-Control": "x"}
        assert complaints(headers.always() | loose)


class TestOtherDoors:
    @pytest.mark.parametrize("body", [b"{", b'{"items": []}', b"x" * 200_000])
    async def test_the_fast_door(self, db, body):
        door = Door()
        try:
            told = await door.post(body)
        finally:
            door.gateway.close()
        assert complaints({name.title(): value for name, value in told.headers.items()} | _dashed(told.headers)) == []

    def test_what_is_refused_before_django(self):
        _, told, _ = problems.early(RequestDataTooBig(), instance="/api/data/", given="")
        assert complaints(dict(told)) == []

    async def test_a_socket_that_is_not_opened(self, db):
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/ws/live/", "headers": [(b"host", b"testserver")], "scheme": "ws"}
        scope |= {"query_string": b"token=x", "extensions": {"websocket.http.response": {}}}
        await LiveSocket(None)(scope, receive, send)
        start, body = sent
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        assert (start["status"], json.loads(body["body"])["status"]) == (403, 403)
        assert complaints(_dashed(told)) == []


def _dashed(told: Mapping[str, str]) -> dict[str, str]:
    """Header names as they are written."""
    known = {name.lower(): name for name in (*headers.always(), "Content-Type", "Cache-Control")}
    return {known.get(name, name): value for name, value in told.items()}


class TestCredentials:
    @pytest.mark.parametrize("path", ["/api/token/", "/api/accounts/login/"])
    def test_are_kept_by_nobody(self, adam, path):
        body = {"username": "adam", "password": factories.PASSWORD}
        answer = Client().post(path, body, content_type="application/json")
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]

    @pytest.mark.parametrize(
        ("path", "body"),
        [("/api/keys/", {"name": "Gateway", "scope": "ingest"}), ("/api/live/ticket/", {})],
    )
    def test_made_for_machines_neither(self, browser, path, body):
        answer = api(browser, "POST", path, json.dumps(body))
        assert answer.status_code == 201, answer.content
        assert "no-store" in answer.headers["Cache-Control"]


@pytest.fixture
def cors(settings) -> Any:
    """One foreign origin is allowed."""
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    return settings


class TestOtherOrigins:
    def ask(self, origin: str, path: str = "/api/sites/", **more: str) -> Any:
        return Client().options(path, headers={"Origin": origin, "Access-Control-Request-Method": "PATCH", **more})

    @pytest.mark.parametrize("path", ["/api/sites/", "/api/ingest/", "/api/token/"])
    def test_one_that_is_allowed_may_ask(self, db, cors, path):
        answer = self.ask(ORIGIN, path)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
        assert "if-match" in answer.headers["Access-Control-Allow-Headers"]
        assert "Origin" in answer.headers["Vary"].title()

    def test_one_that_is_allowed_may_read_refusals_too(self, db, cors):
        answer = Client().get("/api/sites/", headers={"Origin": ORIGIN})
        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]

    @pytest.mark.parametrize(
        "origin",
        [
            "https://example.org",
            "https://app.example.org.evil.example",
            "https://evil-app.example.org",
            "http://app.example.org",
            "https://app.example.org:8443",
            "null",
            "*",
            "https://APP.example.org\x00",
            f"{ORIGIN}, https://example.org",
        ],
    )
    def test_any_other_may_not(self, db, cors, origin):
        for answer in (self.ask(origin), Client().get("/api/sites/", headers={"Origin": origin})):
            assert "Access-Control-Allow-Origin" not in answer.headers

    def test_none_may_use_our_cookies(self, browser, cors):
        for answer in (self.ask(ORIGIN), browser.get("/api/sites/", headers={"Origin": ORIGIN})):
            assert "Access-Control-Allow-Credentials" not in answer.headers

    def test_none_may_read_pages(self, db, cors):
        assert "Access-Control-Allow-Origin" not in Client().get("/login/", headers={"Origin": ORIGIN}).headers

    def test_none_is_allowed_by_default(self):
        assert configured.CORS_ALLOWED_ORIGINS == []
        assert not getattr(configured, "CORS_ALLOW_ALL_ORIGINS", False)
        assert not getattr(configured, "CORS_ALLOW_CREDENTIALS", False)

    async def test_the_fast_door_leaves_their_requests_to_django(self, db, cors):
        door = Door()
        try:
            told = await door.post({"items": []}, headers={b"origin": ORIGIN.encode()})
        finally:
            door.gateway.close()
        assert (told.status, door.handed_on) == (299, 1)

    def test_may_open_sockets_where_they_may_ask(self, cors):
        headers = [(b"host", b"testserver"), (b"origin", ORIGIN.encode())]
        Request({"path": "/ws/live/", "headers": headers}).check()
        headers[1] = (b"origin", b"https://example.org")
        with pytest.raises(Refused):
            Request({"path": "/ws/live/", "headers": headers}).check()


PRODUCTION = {
    "TECHTRACK_PUBLIC_URL": "https://techtrack.example.org",
    "ALLOWED_HOSTS": "techtrack.example.org",
}
LOOK = """
import json, django
django.setup()
from django.conf import settings
from django.test import Client
answer = Client().get("/login/", secure=True, headers={"host": "techtrack.example.org"})
print(json.dumps({"headers": dict(answer.headers), "cookies": answer.cookies.output(header=""),
    "session": [settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY,
    settings.SESSION_COOKIE_SAMESITE, settings.SESSION_COOKIE_DOMAIN, settings.SESSION_COOKIE_PATH]}))
"""


def run(tmp_path: Any, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Python with the settings of production."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TECHTRACK_")}
    env = kept | {"TECHTRACK_HOME": str(tmp_path), "PYTHON_DOTENV_DISABLED": "1"} | PRODUCTION | more
    env["DATABASE_URL"] = f"sqlite:///{tmp_path}/techtrack.sqlite3"
    return subprocess.run([sys.executable, *arguments], env=env, cwd=ROOT, capture_output=True, text=True, check=False)


class TestProduction:
    @pytest.mark.parametrize("proxy", ["true", "false"])
    def test_check_deploy_has_nothing_to_say(self, tmp_path, proxy):
        done = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING", TECHTRACK_BEHIND_PROXY=proxy)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNINGS" not in done.stderr, done.stderr

    def test_a_planted_weak_setting_is_caught(self, tmp_path):
        done = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING", TECHTRACK_HTTPS="false")
        assert done.returncode != 0
        assert "security.W" in done.stderr

    def test_cookies_and_headers_are_those_of_https(self, tmp_path):
        done = run(tmp_path, "-c", LOOK, DJANGO_SETTINGS_MODULE="techtrack.config.settings")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["session"] == ["__Host-sessionid", True, True, "Lax", None, "/"]
        cookie = next(iter(SimpleCookie(told["cookies"]).values()))
        assert cookie.key == "__Host-csrftoken"
        found = (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"])
        assert found == (True, True, "Lax", "/", "")
        assert told["headers"]["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
        assert complaints(told["headers"], "/login/") == []

    @pytest.mark.parametrize("origins", ["*", "https://*.example.org", "example.org", "https://example.org/a", "null"])
    def test_an_origin_that_is_none_stops_the_start(self, tmp_path, origins):
        done = run(tmp_path, "manage.py", "check", CORS_ALLOWED_ORIGINS=origins)
        assert done.returncode != 0
        assert "CORS_ALLOWED_ORIGINS" in done.stderr
