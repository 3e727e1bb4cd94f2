"""What is told of an alert goes to whoever may see it, whoever a route names."""

from __future__ import annotations

import pytest

from techtrack.notifications import queries
from techtrack.notifications.models import Channel
from techtrack.notifications.services import recipients
from techtrack.notifications.services.recipients import AddressBook
from tests import factories
from tests.integration.authorisation.walk import Walker, undone
from tests.integration.authorisation.world import NOW, Side

pytestmark = pytest.mark.django_db


def told(walker: Walker, side: Side) -> set[str]:
    """Who is told of an alert at ``side`` by a route of all sites that names everybody and every channel."""
    people = [one.user for one in walker.world.principals.values() if one.user]
    for person in people:
        if not Channel.objects.filter(owner=person).exists():
            factories.make_channel(owner=person, name=person.username)
    route = factories.make_route(*Channel.objects.filter(owner=None), people=sorted({one.pk for one in people}))
    alert = queries.known([side.names["alert"]])[side.names["alert"]]
    return {one.channel.name for one in AddressBook(NOW).of_route(route, steps=0).values() if one.may_know(alert)}


@pytest.mark.parametrize("mark", ["quokka", "wombat"])
def test_a_letter_reaches_only_people_with_a_role_where_the_alert_is(mark, walker):
    side, world = walker.world.sides[mark], walker.world
    may = {
        one.user.username
        for one in world.principals.values()
        if one.user and one.name != "deactivated" and one.scope is None and one.role_at(mark)
    }
    with undone():
        reached = told(walker, side)
    assert reached == may | {f"Channel {mark}"}


def test_a_planted_letter_to_everybody_is_found(walker, monkeypatch):
    monkeypatch.setattr(recipients, "may_know", lambda *_, **__: True)
    with undone():
        assert "viewer-wombat" in told(walker, walker.world.sides["quokka"])
