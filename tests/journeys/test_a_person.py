"""A person's whole stay: invited, registered, verified, logged in, a new password twice, all data taken, and gone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.journeys.test_main_job import created, eventually, plain
from tests.plugins.platform import Platform, database_url
from tests.plugins.post import Mailbox

FIRST, SECOND, THIRD = "violet-otter-77", "amber-walrus-88", "copper-heron-99"
EMAIL = "nina.nightingale@private.example"


@pytest.fixture
def plant(tmp_path, mailbox, worker_id) -> Iterator[Platform]:
    settings = {"EMAIL_URL": mailbox.url, "REGISTRATION": "invite"}
    url = database_url(tmp_path, f"techtrack_person_{worker_id}")
    running = Platform(tmp_path, database_url=url, settings=settings)
    running.start()
    running.make_admin()
    yield running
    running.stop()


def letter(mailbox: Mailbox, to: str, subject: str) -> str:
    """Wait for a letter and return its text."""

    def come() -> list[str]:
        return [plain(one) for one in mailbox.messages if (one["To"], one["Subject"]) == (to, subject)]

    return str(eventually(come)[-1])


def link(text: str) -> str:
    found = re.search(r"http://\S+/accounts/\S+/", text)
    assert found is not None, text
    return found[0]


def fill_in(url: str, **fields: str) -> requests.Response:
    """Open the link of a letter in a browser, fill in its form and send it."""
    browser = requests.Session()
    page = browser.get(url, timeout=10)
    assert page.status_code == 200, page.text
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    data = {"csrfmiddlewaretoken": token} | fields
    done = browser.post(url, data=data, headers={"Referer": url}, timeout=10)
    assert done.status_code == 200, done.text
    return done


def call(plant: Platform, method: str, path: str, *, access: str = "", **body: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {access}"} if access else {}
    return requests.request(method, f"{plant.url}{path}", json=body or None, headers=headers, timeout=10)


def log_in(plant: Platform, password: str) -> str:
    answer = call(plant, "POST", "/api/accounts/login/", username="nina", password=password)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access"])


def closing(socket: Any) -> int:
    """Read until the server closes the socket; return the code it gives."""
    try:
        while True:
            socket.recv(timeout=15)
    except ConnectionClosed:
        return int(socket.close_code)


def test_comes_stays_and_leaves_nothing_behind(plant: Platform, mailbox: Mailbox) -> None:
    # Nobody comes in without an invitation.
    me = {"username": "nina", "email": EMAIL, "password": FIRST, "first_name": "Ninotschka"}
    assert call(plant, "POST", "/api/accounts/register/", **me).status_code == 403
    site = created(plant.call("POST", "/api/sites/", json={"name": "Foundry"}))
    asked = {"email": "nina@foundry.example", "roles": [{"site": site["id"], "role": "operator"}]}
    created(plant.call("POST", "/api/invitations/", json=asked))
    invitation = link(letter(mailbox, "nina@foundry.example", "You are invited"))
    assert requests.get(invitation, timeout=10).status_code == 200
    key = urlsplit(invitation).path.split("/")[-2]
    joined = created(call(plant, "POST", "/api/accounts/register/", **me, invitation=key))
    assert joined["user"]["roles"] == [{"site": site["id"], "role": "operator"}]
    assert call(plant, "POST", "/api/accounts/register/", **me | {"username": "n2"}, invitation=key).status_code == 400

    # The address is another one than she was invited by: she shows that it is hers.
    assert joined["user"]["email_verified_at"] is None
    verification = link(letter(mailbox, EMAIL, "Is this your e-mail address?"))
    assert "is confirmed" in fill_in(verification).text
    here, there = log_in(plant, FIRST), log_in(plant, FIRST)
    assert call(plant, "GET", "/api/accounts/me/", access=here).json()["email_verified_at"] is not None
    people = call(plant, "GET", "/api/people/", access=here).json()["results"]
    assert [one["name"] for one in people] == ["adam", "Ninotschka"]

    # A new password ends what goes on elsewhere, an open socket included.
    with connect(plant.ws_url, additional_headers={"Authorization": f"Bearer {there}"}) as socket:
        change = {"current_password": FIRST, "password": SECOND}
        assert call(plant, "POST", "/api/accounts/password/change/", access=here, **change).status_code == 204
        assert closing(socket) == 4401
    assert call(plant, "GET", "/api/accounts/me/", access=there).status_code == 401
    assert len(call(plant, "GET", "/api/accounts/sessions/", access=here).json()["results"]) == 1
    letter(mailbox, EMAIL, "Your password was changed")

    # A forgotten one is set anew by a letter, in a browser without scripts.
    fill_in(f"{plant.url}/accounts/password/reset/", name=EMAIL)
    reset = link(letter(mailbox, EMAIL, "Set a new password"))
    assert "Your new password is set" in fill_in(reset, password=THIRD, repeated=THIRD).text
    assert requests.get(reset, timeout=10).status_code == 404
    access = log_in(plant, THIRD)

    # She takes along what is stored of her, and goes.
    told = call(plant, "GET", "/api/accounts/export/", access=access)
    assert told.headers["Content-Disposition"].startswith("attachment")
    assert told.json()["tables"]["accounts.user"][0]["email"] == EMAIL
    assert {"accounts.session", "accounts.membership", "tasks.task", "audit"} <= told.json()["tables"].keys()
    assert call(plant, "DELETE", "/api/accounts/me/", access=access, password=THIRD).status_code == 204
    assert call(plant, "GET", "/api/accounts/me/", access=access).status_code == 401

    # Nothing is left: not in the tables, and no key in them nor in the log.
    stored, log = plant.manage("dumpdata"), plant.log.read_text(errors="replace")
    assert json.loads(stored)
    assert [word for word in (EMAIL, "nina@foundry.example", "Ninotschka") if word in stored] == []
    keys = [urlsplit(one).path.split("/")[-2] for one in (invitation, verification, reset)]
    assert [one for one in keys if one in stored or one in log] == []
