"""How long a password must and may be, and which ones everybody tries first."""

from __future__ import annotations

import pytest

DOOR = "/api/accounts/register/"
NINA = {"username": "nina", "email": "nina@example.org"}


@pytest.mark.django_db
class TestPassword:
    @pytest.mark.parametrize(
        "password",
        [
            pytest.param("violet tea", id="ten letters"),
            pytest.param("a lantern over the quiet harbour at the end of a long long winter", id="64 and more"),
            pytest.param("0123456789 abcdef ßöü 測定 " * 40, id="a thousand, of any script"),
            pytest.param("  spaces around it  ", id="with spaces around it"),
        ],
    )
    def test_may_be(self, api, password):
        assert api(None).post(DOOR, NINA | {"password": password}, format="json").status_code == 201
        body = {"username": "nina", "password": password}
        assert api(None).post("/api/token/", body, format="json").status_code == 200
        body["password"] = password.strip() if password != password.strip() else f"{password}x"
        assert api(None).post("/api/token/", body, format="json").status_code == 401

    @pytest.mark.parametrize(
        "password",
        ["violettea", "password123", "1234567890", "qwertyuiop", "nina@example.org", "9876543210", "x" * 1_025],
    )
    def test_may_not_be(self, api, password):
        answer = api(None).post(DOOR, NINA | {"password": password}, format="json")
        assert answer.status_code == 400
        assert {error["pointer"] for error in answer.json()["errors"]} == {"/password"}
