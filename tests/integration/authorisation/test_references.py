"""What a request names beside its subject: things of another site are as if they were not there."""

from __future__ import annotations

from typing import Any

import pytest

from techtrack.accounts.models import User
from techtrack.assets.models import AssetQuerySet
from techtrack.core.api.fields import VisibleField
from techtrack.notifications import queries as notifications
from tests.integration.authorisation.matrix import OTHER
from tests.integration.authorisation.policy import ABSENT, OWN
from tests.integration.authorisation.walk import EXAMPLES, Answer, Walker, filled, operations

pytestmark = pytest.mark.django_db
LINKS = [(name, number) for name, links in EXAMPLES["links"].items() for number in range(len(links))]
CALLERS = ("engineer", "write_key", "site_key", "far_engineer")
# What a filter of a list, or of what is asked for, may name.
NAMED = {
    **dict.fromkeys(["alert", "channel", "equipment", "route", "rule", "sensor", "site"]),
    "asset": "equipment",
    **dict.fromkeys(["assignee", "owner", "person", "user", "acknowledged_by"], "person"),
}
FILTERS = [
    (one.id, parameter)
    for one in operations().values()
    for parameter in one.queries
    if one.method == "GET" and parameter in NAMED and one.id not in {"lockouts_list", "audit_list"}
]
FILES = [
    (one.id, form)
    for one in operations().values()
    for told in one.described.get("parameters", [])
    for form in told["schema"].get("enum", [])
    if told["name"] == "format"
]


def linked(walker: Walker, name: str, number: int, who: str) -> dict[str, Answer]:
    """What comes of the operation's own example with a reference to something of the place put in."""
    principal, operation = walker.world.principals[who], operations()[name]
    path, body, query = operation.request(walker.world.names(principal, OWN))
    answers = {}
    for place in (OTHER, ABSENT):
        link = filled(EXAMPLES["links"][name][number], walker.world.names(principal, place))
        sent = {key: value for key, value in (body | link).items() if value is not None}
        answers[place] = walker.send(principal, operation.method, path, sent, query)
    return answers


def difference(walker: Walker, who: str, answers: dict[str, Answer]) -> list[Any]:
    """Both answers, where they differ by more than by what was asked for; and what they tell."""
    principal = walker.world.principals[who]
    names = {place: walker.world.names(principal, place) for place in (OTHER, ABSENT)}
    pairs = [(str(one), str(names[ABSENT][name])) for name, one in names[OTHER].items()]
    found = [answers[OTHER].compared(pairs), answers[ABSENT].compared([])]
    return [] if found[0] == found[1] else found


@pytest.mark.parametrize(("name", "number"), LINKS, ids=str)
class TestReference:
    def test_to_another_site_is_refused_as_one_to_nothing_and_changes_nothing(self, name, number, walker):
        for who in CALLERS:
            answers = linked(walker, name, number, who)
            assert difference(walker, who, answers) == []
            assert not answers[OTHER].changed
            refused = answers[OTHER].status in {400, 403, 404} or name in {
                "alerts_actions_create",
                "equipment_bulk_create",
            }
            assert refused or name == "deliveries_retry_many", answers[OTHER].text


@pytest.mark.parametrize(("name", "parameter"), FILTERS, ids=str)
class TestFilter:
    def test_by_something_of_another_site_finds_as_little_as_by_nothing(self, name, parameter, walker):
        for who in ("viewer", "operator", "engineer", "site_key", "read_key", "self_registered"):
            principal, operation = walker.world.principals[who], operations()[name]
            path, _, query = operation.request(walker.world.names(principal, OWN))
            query = {key: value for key, value in query.items() if key not in NAMED}
            answers = {}
            for place in (OTHER, ABSENT):
                value = walker.world.names(principal, place)[NAMED[parameter] or parameter]
                answers[place] = walker.send(principal, "GET", path, None, query | {parameter: value})
            assert difference(walker, who, answers) == []


@pytest.mark.parametrize(("name", "form"), FILES, ids=str)
class TestFile:
    def test_holds_nothing_of_another_site(self, name, form, walker):
        for who in ("viewer", "engineer", "site_admin", "far_engineer", "self_registered", "read_key", "site_key"):
            principal, operation = walker.world.principals[who], operations()[name]
            path, _, query = operation.request(walker.world.names(principal, OWN))
            answer = walker.send(principal, "GET", path, None, query | {"format": form})
            hidden = walker.world.hidden_from(principal)
            told = {told for side in hidden for told in side.tells(answer.plain, to=principal) if told not in path}
            assert not told, f"{who} is told {told}"
            assert answer.status in {200, 403, 404}


class TestPlantedHole:
    def test_of_a_reference_is_found(self, walker, monkeypatch):
        monkeypatch.setattr(VisibleField, "get_queryset", lambda field: field.queryset.all())
        assert difference(walker, "engineer", linked(walker, "equipment_create", 0, "engineer"))

    def test_of_people_is_found(self, walker, monkeypatch):
        monkeypatch.setattr(
            notifications,
            "colleagues",
            lambda _, ids: set(User.objects.filter(pk__in=ids).values_list("pk", flat=True)),
        )
        assert difference(walker, "engineer", linked(walker, "routes_create", 1, "engineer"))

    def test_of_a_file_is_found(self, walker, monkeypatch):
        monkeypatch.setattr(AssetQuerySet, "visible_to", lambda rows, *_: rows)
        with pytest.raises(AssertionError, match="is told"):
            TestFile().test_holds_nothing_of_another_site("data_list", "csv", walker)
