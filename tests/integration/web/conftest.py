"""Browsers for the tests of pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from techtrack.accounts.models import User


@pytest.fixture
def page(db: None) -> Callable[[User], Client]:
    """``page(olga)``: a browser in which olga has logged in, that has no CSRF token to show unless asked for."""

    def browser(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return browser
