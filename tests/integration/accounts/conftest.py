"""Clients that have really logged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import PASSWORD


@pytest.fixture
def log_in() -> Callable[..., dict[str, Any]]:
    """``log_in("olga")``: the answer of the login endpoint."""

    def enter(username: str, password: str = PASSWORD) -> dict[str, Any]:
        body = {"username": username, "password": password}
        answer = APIClient().post("/api/accounts/login/", body, format="json")
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    return enter


@pytest.fixture
def bearer() -> Callable[[str], APIClient]:
    """``bearer(access)``: a client that sends an access token."""

    def client(access: str) -> APIClient:
        return APIClient(headers={"Authorization": f"Bearer {access}"})

    return client
