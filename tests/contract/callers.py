"""The people who ask for what the contract promises: plain HTTP, as any client has it, and nothing of the code."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests

PASSWORD = "correct horse battery staple"
MARK = uuid4().hex[:8]
JSON = {"Content-Type": "application/json"}
RULE = {"name": "Hot", "parameter": "heat", "conditions": [{"kind": "above", "limit": 1e9}]}
CHANNEL = {"name": "Mail", "kind": "email", "config": {"to": ["x@example.org"]}}
# A token lives for ten minutes; on a slow machine these tests take longer.
FRESH = 300.0
MEMBERS = {"type", "title", "status", "detail", "code", "instance", "request_id", "errors"}


class Caller:
    """Somebody who sends requests under the given headers; anonymous without any."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.headers = headers
        self.id = 0
        self.refresh = ""
        self.fresh_until = float("inf")
        self.renewing = threading.Lock()

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        self.stay_logged_in()
        headers = {**self.headers, **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=30, allow_redirects=False, **options
        )

    def stay_logged_in(self) -> None:
        """Have a token that is good for the next request."""
        # A caller asks from many threads, and a refresh token that is used twice ends the session.
        with self.renewing:
            if time.monotonic() > self.fresh_until:
                answer = requests.post(f"{self.url}/api/token/refresh/", json={"refresh": self.refresh}, timeout=10)
                assert answer.status_code == 200, answer.text
                self.keep(answer.json())

    def keep(self, tokens: dict[str, Any]) -> None:
        """Ask with these tokens from now on."""
        self.headers["Authorization"] = f"Bearer {tokens['access']}"
        self.refresh, self.fresh_until = tokens["refresh"], time.monotonic() + FRESH

    def get(self, path: str) -> Any:
        """The body of what is there."""
        answer = self("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def made(self, path: str, body: Any) -> Any:
        """POST and return what was created."""
        answer = self("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@dataclass
class World:
    """Two sites, the people of each, and what stands there."""

    anybody: Caller
    adam: Caller
    vera: Caller
    olga: Caller
    erik: Caller
    oscar: Caller
    mallory: Caller
    names: dict[str, Any]

    def person(self, name: str) -> Caller:
        """Somebody of the cast by name."""
        found: Caller = getattr(self, name)
        return found

    def at(self, path: str) -> str:
        """``path`` with the ids of this world in it."""
        return path.format_map(self.names)


def logged_in(url: str, username: str, password: str = PASSWORD) -> Caller:
    """A caller with a fresh session."""
    answer = requests.post(f"{url}/api/accounts/login/", json={"username": username, "password": password}, timeout=10)
    assert answer.status_code == 200, answer.text
    caller = Caller(url)
    caller.id = answer.json()["user"]["id"]
    caller.keep(answer.json())
    return caller


def new_person(adam: Caller, name: str, roles: list[dict[str, Any]]) -> Caller:
    """An account made by adam, logged in."""
    username = f"{name}-{MARK}"
    person = {"username": username, "email": f"{username}@example.org", "password": PASSWORD, "roles": roles}
    adam.made("/api/users/", person)
    return logged_in(adam.url, username)


def check_problem(answer: requests.Response, status: int, pointer: str | None = None) -> dict[str, Any]:
    """The answer is a whole RFC 9457 problem that names the place; return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() >= MEMBERS
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert pointer is None or pointer in [error["pointer"] for error in problem["errors"]], problem["errors"]
    return problem


def eventually(look: Callable[[], Any], *, within: float = 5.0) -> Any:
    """Return what ``look`` gives once it gives something."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


def reading(**change: Any) -> dict[str, Any]:
    """A good reading of the robot, changed."""
    return {"equipment": f"robot-{MARK}", "timestamp": "2026-10-01T00:00:00Z", "values": {"t": 1}} | change
