"""A race for sites and people: many move, change and delete them, one by one and many in one request."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

MANY = 6
# One that came first may have taken it away, changed it, or made it impossible; that is all that may be told.
TOLD = {200, 204, 207, 400, 404, 409, 412}


def build(rounds: int) -> Any:
    """Make sites and people for each round."""
    from tests import factories  # noqa: PLC0415 - the settings come first

    return {
        "sites": [[factories.make_site(f"Hall {number}.{one}").pk for one in range(MANY)] for number in range(rounds)],
        "users": [[factories.make_user(f"u{number}.{one}").pk for one in range(MANY)] for number in range(rounds)],
    }


def mingle(client: Any, world: Any, number: int, worker: int) -> None:
    """Write the same rows as all others, in an order of one's own; even workers in one request, the others in many."""
    draw = random.Random(f"{number}.{worker}")
    path = ("sites", "users")[worker // 2 % 2]
    changed = draw.sample(world[path][number], MANY)
    doomed = changed.pop()
    bodies = [_body(path, world, number, draw) for _ in changed]
    if worker % 2:
        for pk, body in zip(changed, bodies, strict=True):
            client.ask("PATCH", f"/api/{path}/{pk}/", body)
        client.ask("DELETE", f"/api/{path}/{doomed}/")
        return
    items = [{"action": "update", "id": pk, "body": body} for pk, body in zip(changed, bodies, strict=True)]
    items.insert(draw.randrange(MANY), {"action": "delete", "id": doomed})
    client.ask("POST", f"/api/{path}/bulk/?atomic={draw.choice(['true', 'false'])}", {"items": items})


def faults(world: Any, answers: Sequence[Any]) -> Iterator[str]:
    """Name answers that no order of the requests explains, and sites that stand inside themselves."""
    from techtrack.accounts.models import Site  # noqa: PLC0415 - the settings come first

    if other := Counter(one.status for one in answers if one.status not in TOLD):
        yield f"answered {dict(other)}"
    if not {200, 204} <= {one.status for one in answers}:
        yield "nothing was ever changed, or nothing deleted"
    parents = dict(Site.objects.values_list("pk", "parent"))
    for pk, parent in parents.items():
        above, seen = parent, {pk}
        while above is not None and above not in seen:
            seen.add(above)
            above = parents[above]
        if above is not None:
            yield f"site {pk} stands inside a ring"


def _body(path: str, world: Any, number: int, draw: random.Random) -> dict[str, Any]:
    site = draw.choice(world["sites"][number])
    return {"parent": site} if path == "sites" else {"roles": [{"site": site, "role": "viewer"}]}
