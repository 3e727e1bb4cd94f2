"""The WebSocket and the pages keep the same policy as the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import authenticate

from techtrack import pipeline
from techtrack.accounts.domain.access import Access
from techtrack.accounts.queries import key_access, session_access
from techtrack.assets.models import AssetQuerySet
from techtrack.core.errors import Forbidden, NotFound, TechTrackError
from techtrack.live.admission import admitted
from techtrack.live.hub import hub
from techtrack.live.outbox import Outbox
from techtrack.live.subscriber import Subscriber
from techtrack.live.subscribing import _require
from tests import factories
from tests.integration.authorisation import policy
from tests.integration.authorisation.matrix import OTHER, PLACES
from tests.integration.authorisation.policy import ABSENT, OWN, Case
from tests.integration.authorisation.walk import Walker, stranger, undone
from tests.integration.authorisation.world import NOW, Principal

pytestmark = pytest.mark.django_db
TOPICS = policy.written()["topics"]
PAGES = {
    path: told
    for path, told in policy.written()["pages"].items()
    if told["may"] not in {"anybody", "nobody", "authenticated"}
}
LOGIN, SEES_NOTHING = 302, 404
IDS = {
    "/assets/{}/": "equipment",
    "/assets/{}/label/": "equipment",
    "/parts/assets/{}/alerts/": "equipment",
    "/alerts/{}/": "alert",
    "/alerts/{}/acknowledge/": "alert",
    "/tasks/{}/done/": "task",
}


def access_of(who: Principal) -> Access | None:
    """What the live door makes of the caller's credentials."""
    try:
        if who.scope is not None:
            return admitted(key_access(who.headers["X-API-Key"], "127.0.0.1", NOW))
        return admitted(session_access(who.headers.get("Authorization", "Bearer x").split()[1], NOW))
    except TechTrackError:
        return None


def subscribed(access: Access, name: str) -> dict[str, Any] | None:
    """What a subscription to a topic shows at once, None where it is refused."""
    topic, params = hub.topics.find(name)
    try:
        _require(access, {name: (topic, params)})
    except (Forbidden, NotFound):
        return None
    return topic.snapshot(access, params) if topic.snapshot else {}


def topic_faults(walker: Walker, pattern: str) -> list[str]:
    """What of one topic contradicts the policy."""
    found = []
    for who in walker.world.principals.values():
        access = access_of(who)
        for place in PLACES:
            names = walker.world.names(who, place)
            name = pattern.format_map(names | {"asset": names["equipment"], "user": names.get("user", 0)})
            shown = subscribed(access, name) if access else None
            case = Case(walker.world, who, place, about_key=False)
            may = not who.dead and who.scope != "ingest" and case.holds(TOPICS[pattern]["may"])
            # A key that is bound to a site speaks for the site, not for the person who made it.
            may = may and not (who.name == "site_key" and "users/" in pattern)
            # Whoever may see all sites may listen to one that is not there.
            if (shown is not None) != may and not (place == ABSENT and "*" in who.roles):
                found.append(f"{who.name} at {place}: {'shown' if shown is not None else 'refused'}")
            text = json.dumps(shown, default=str)
            found += [
                f"{who.name}: {side.tells(text, to=who)}"
                for side in walker.world.hidden_from(who)
                if side.tells(text, to=who)
            ]
    return found


@pytest.mark.parametrize("pattern", sorted(TOPICS))
def test_a_topic_is_for_whom_the_policy_names(pattern, walker):
    assert topic_faults(walker, pattern) == []


@pytest.mark.parametrize("what", ["readings", "alerts", "tasks", "deliveries"])
def test_no_frame_of_another_site_reaches_anybody(what, walker):
    for who in walker.world.principals.values():
        access = access_of(who)
        if access is None:
            continue
        home, far = walker.world.sides[who.home], walker.world.other(who.home)
        subscriber = Subscriber(access, Outbox())
        role = "operator" if what == "deliveries" else "viewer"
        for side, place in ((home, OWN), (far, OTHER)):
            may = Case(walker.world, who, place).holds(role)
            wanted = hub.wanted(subscriber, frozenset({what}), [f"sites/{side.site.pk}/{what}"])
            assert wanted == may, f"{who.name} at {place}"


def page_faults(walker: Walker, path: str) -> list[str]:
    """What of one page contradicts the policy, as everybody with a browser."""
    told, found = PAGES[path], []
    for who in walker.world.principals.values():
        if who.user is None or who.scope is not None or who.name == "expired":
            continue
        for place in PLACES if path in IDS else (OWN,):
            status, text = looked_at(walker, who, path, place)
            case = Case(walker.world, who, place)
            expected = expected_status(told, case, path)
            if status not in expected:
                found.append(f"{who.name} at {place}: {status}, and not {expected}")
            found += [
                f"{who.name}: {side.tells(text, to=who)}"
                for side in walker.world.hidden_from(who)
                if side.tells(text, to=who)
            ]
    return found


def looked_at(walker: Walker, who: Principal, path: str, place: str) -> tuple[int, str]:
    """The status and the text of a page."""
    names = walker.world.names(who, place)
    address = path.format(names[IDS[path]]) if path in IDS else path
    with undone():
        browser = stranger()
        if not who.dead:
            browser.force_login(who.user)  # type: ignore[arg-type] - a person
        posts = path.endswith(("/acknowledge/", "/done/"))
        answer = browser.post(address) if posts else browser.get(address)
    return answer.status_code, answer.content.decode().replace(str(names.get(IDS.get(path, ""), "\0")), "")


def expected_status(told: dict[str, Any], case: Case, path: str) -> set[int]:
    """What the policy has a page answer."""
    if case.who.dead:
        return {LOGIN}
    if case.holds(told["may"]):
        return {200, LOGIN} if path.endswith(("/acknowledge/", "/done/")) else {200}
    if path == "/admin/":
        return {LOGIN}
    return {403} if path not in IDS or any(map(case.holds, [told.get("sees", "nobody")])) else {SEES_NOTHING}


@pytest.mark.parametrize("path", sorted(PAGES))
def test_a_page_is_for_whom_the_policy_names(path, walker):
    faults = page_faults(walker, path)
    assert faults == []


def test_the_deactivated_do_not_log_in_to_pages(walker):
    gone = walker.world.principals["deactivated"].user
    assert authenticate(None, username=gone.username, password=factories.PASSWORD) is None


class TestPlantedHole:
    def test_of_a_topic_is_found(self, walker, monkeypatch):
        monkeypatch.setattr(AssetQuerySet, "visible_to", lambda rows, *_: rows)
        assert topic_faults(walker, "assets/{asset}/readings")

    def test_of_a_page_is_found(self, walker, monkeypatch):
        monkeypatch.setattr(AssetQuerySet, "visible_to", lambda rows, *_: rows)
        assert page_faults(walker, "/assets/{}/")
        assert page_faults(walker, "/")

    def test_of_a_snapshot_is_found(self, walker, monkeypatch):
        monkeypatch.setattr(pipeline.alerts, "open_summaries", lambda _, **__: [{"title": "Hot wombat"}])
        assert topic_faults(walker, "alerts")
