"""Pages of the plant: the overview, one asset, and the list of open alerts that both keep fresh."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from techtrack.accounts.domain.access import Access
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.web import queries
from techtrack.web.views.page import page

# What the chart offers; 0 is everything there is.
RANGES = [
    {"name": name, "seconds": hours * 3600}
    for name, hours in {"1 h": 1, "6 h": 6, "24 h": 24, "7 d": 168, "30 d": 720, "All": 0}.items()
]
# The readings that the chart shows, as files.
FILES = [("CSV", "csv"), ("Excel", "xlsx")]


@require_safe
@page
def overview(request: HttpRequest, access: Access) -> HttpResponse:
    """Every site with its assets and newest values, beside what needs attention."""
    places = queries.places(access, clock.plant_now())
    lines = queries.open_alerts(access)
    context = {
        "places": places,
        "lines": lines,
        "asset_count": sum(len(place.cards) for place in places),
        "waiting": _waiting(lines),
        "topics": ["alerts", "readings"],
        "may_see": access.everywhere is not None or bool(access.at),
    }
    return render(request, "web/overview.html", context)


@require_safe
@page
def asset(request: HttpRequest, access: Access, asset_id: int) -> HttpResponse:
    """One asset: its values, its history, its alerts and the work on it."""
    card = queries.card(access, asset_id, clock.plant_now())
    lines = queries.open_alerts(access, asset_id=asset_id)
    context = {
        "card": card,
        "lines": lines,
        "closed": queries.closed_alerts(access, asset_id=asset_id),
        "tasks": queries.unfinished_tasks(access, asset_id=asset_id),
        "waiting": _waiting(lines),
        "topics": ["alerts", f"assets/{asset_id}/readings"],
        "ranges": RANGES,
        "files": FILES,
        "first": queries.first_reading(asset_id),
        "limits": json.dumps(
            {line.alert.parameter: line.alert.limit for line in lines if line.plain and line.alert.limit is not None}
        ),
        "details": list(_details(card.asset)),
    }
    return render(request, "web/asset.html", context)


@require_safe
@page
def open_alerts(request: HttpRequest, access: Access, asset_id: int | None = None) -> HttpResponse:
    """The list of open alerts alone, for a page that has heard of a change."""
    lines = queries.open_alerts(access, asset_id=asset_id)
    return render(request, "web/parts/alert_list.html", {"lines": lines, "waiting": _waiting(lines)})


def _details(asset: Asset) -> Iterator[tuple[str, str]]:
    facts = {
        "Type": asset.type,
        "Key": asset.key,
        "Manufacturer": asset.manufacturer,
        "Model": asset.model,
        "Serial number": asset.serial_number,
        "Installed": asset.installation_date,
        "Status": asset.get_status_display(),
        "Tags": ", ".join(asset.tags),
    }
    yield from ((name, str(fact)) for name, fact in facts.items() if fact)
    yield from ((name.replace("_", " ").capitalize(), str(fact)) for name, fact in asset.attributes.items())


def _waiting(lines: list[queries.AlertLine]) -> int:
    return sum(line.alert.acknowledged_at is None and not line.aside for line in lines)
