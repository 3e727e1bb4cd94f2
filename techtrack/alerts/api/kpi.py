"""The door for key figures of the alarm system."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.accounts.domain.zones import check_zone
from techtrack.accounts.models import Site
from techtrack.alerts import queries
from techtrack.alerts.domain.advice import Identity, Problem
from techtrack.alerts.domain.kpi import (
    FLOOD_ABOVE,
    FLOOD_BELOW,
    PRIORITIES,
    PRIORITY_TARGETS,
    TEN_MINUTES,
    Flood,
    Measures,
    most_frequent,
    quantiles,
)
from techtrack.core import clock
from techtrack.core.api import spans
from techtrack.core.api.fields import IsoDurationField
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown_parameters
from techtrack.core.clock import from_micros, isoformat, measured_duration
from techtrack.core.errors import Invalid, NotFound

WEEK = timedelta(days=7)
# A week of ten minutes, of which the first and the last are cut.
MOST_POINTS = 1010
MOST_LISTED = 20
PROBLEMS = ["flood", "priorities", "chattering", "fleeting", "frequent", "stale"]
_QUERY = {"site", "from", "to", "timezone"}
_IDENTITY: dict[str, Any] = {
    "rule": drf.IntegerField(allow_null=True, help_text="null: reported by people, or the rule is gone"),
    "rule_name": drf.CharField(allow_null=True),
    "asset": drf.IntegerField(),
    "asset_name": drf.CharField(),
    "parameter": drf.CharField(),
}


def _duration(text: str, *, null: bool = False) -> drf.Field:
    return IsoDurationField(help_text=text, allow_null=null)


def _counted(name: str, **more: drf.Field) -> drf.Field:
    fields = {**_IDENTITY, "count": drf.IntegerField(), **more}
    return drf.ListField(child=inline_serializer(name, fields))


_FIX = inline_serializer(
    "AlarmFix",
    {
        "action": drf.ChoiceField(
            ["preview", "open_task", "review"],
            help_text="`preview`: the rule lab tries it: POST /api/rules/preview/ with `rule_id`, `assets`, "
            "`changes`, and the `from` and `to` of this answer; `open_task`: somebody has to repair what `alert` "
            "tells; `review`: people look at `rules`, those that sound most first",
        ),
        "rule_id": drf.IntegerField(required=False),
        "assets": drf.ListField(child=drf.IntegerField(), required=False),
        "changes": drf.DictField(required=False, help_text="as PATCH /api/rules/{id}/ takes them"),
        "alert": drf.IntegerField(required=False),
        "rules": drf.ListField(child=drf.IntegerField(), required=False),
    },
)
_PROBLEM: dict[str, Any] = {
    "problem": drf.ChoiceField(
        PROBLEMS,
        help_text="`chattering`: three raises or more within a minute; `fleeting`: returned within a minute, three "
        "times or more; `frequent`: one identity makes 5 % of all; `stale`: active for more than a day; "
        "`priorities`: more than twice the share that is usual; `flood`: more than an operator can handle",
    ),
    **{name: type(f)(allow_null=True) for name, f in _IDENTITY.items()},
    "count": drf.IntegerField(),
    "detail": drf.CharField(),
    "fix": _FIX,
}
_RATE: dict[str, Any] = {
    "average": drf.FloatField(help_text="annunciations in ten minutes; ISA-18.2: 1 is acceptable, 2 can be managed"),
    "peak": drf.IntegerField(help_text="most annunciations in ten minutes of the clock"),
    "over_ten": drf.FloatField(help_text="share of the ten minutes that had more than 10; ISA-18.2: below 0.01"),
    "distribution": drf.ListField(
        child=inline_serializer(
            "AlarmRateClass",
            {
                "least": drf.IntegerField(),
                "most": drf.IntegerField(allow_null=True),
                "intervals": drf.IntegerField(help_text="how many ten minutes had so many"),
            },
        )
    ),
}
_TIMELINE: dict[str, Any] = {
    "interval": _duration("ten minutes, or a multiple where the time is long"),
    "starts": drf.ListField(child=drf.DateTimeField()),
    "annunciations": drf.ListField(child=drf.IntegerField()),
    "peak": drf.ListField(child=drf.IntegerField(), help_text="most in ten minutes"),
}
_FLOOD: dict[str, Any] = {
    "from": drf.DateTimeField(),
    "to": drf.DateTimeField(),
    "annunciations": drf.IntegerField(),
    "peak": drf.IntegerField(),
    "first": inline_serializer("AlarmIdentity", dict(_IDENTITY)),
}
_FLOODS: dict[str, Any] = {
    "begins_above": drf.IntegerField(
        help_text="a flood begins with ten minutes of the clock (UTC) that have more annunciations (ISA-18.2)"
    ),
    "ends_below": drf.IntegerField(help_text="and ends with ten minutes that have fewer"),
    "count": drf.IntegerField(),
    "share": drf.FloatField(help_text="of the time; ISA-18.2: below 0.01"),
    "largest": drf.ListField(child=inline_serializer("AlarmFlood", _FLOOD), help_text="in the order of time"),
}
_PRIORITY: dict[str, Any] = {
    "rank": drf.ChoiceField(list(PRIORITIES)),
    "severities": drf.ListField(child=drf.CharField()),
    "count": drf.IntegerField(),
    "share": drf.FloatField(allow_null=True),
    "target": drf.FloatField(),
}
_TOP: dict[str, Any] = {
    "share": drf.FloatField(allow_null=True, help_text="of all annunciations; ISA-18.2: below 0.05"),
    "identities": _counted("AlarmTop", share=drf.FloatField()),
    "rules": drf.ListField(
        child=inline_serializer(
            "AlarmTopRule",
            {
                "rule": drf.IntegerField(allow_null=True),
                "rule_name": drf.CharField(allow_null=True),
                "count": drf.IntegerField(),
                "share": drf.FloatField(),
            },
        )
    ),
}
_ANSWERS: dict[str, Any] = {
    "count": drf.IntegerField(),
    "waiting": drf.IntegerField(help_text="alerts annunciated in this time that nobody acknowledged in it"),
    "p50": _duration("from the first unanswered annunciation to the acknowledgement", null=True),
    "p95": _duration("half of a tenth took longer", null=True),
}
_STANDING: dict[str, Any] = {
    name: drf.IntegerField() for name in ("active", "unacknowledged", "shelved", "suppressed", "out_of_service")
}
_ANSWER: dict[str, Any] = {
    "site": drf.IntegerField(allow_null=True),
    "from": drf.DateTimeField(),
    "to": drf.DateTimeField(),
    "occurrences": drf.IntegerField(help_text="all raises, hidden or not"),
    "annunciations": drf.IntegerField(
        help_text="what an operator was to notice: raises of alerts not hidden, and hidden ones that are shown again"
    ),
    "rate": inline_serializer("AlarmRate", _RATE),
    "timeline": inline_serializer("AlarmTimeline", _TIMELINE),
    "floods": inline_serializer("AlarmFloods", _FLOODS),
    "priorities": drf.ListField(
        child=inline_serializer("AlarmPriority", _PRIORITY),
        help_text="as EEMUA 191 counts them: critical and high are high, low and info are low",
    ),
    "severities": drf.DictField(child=drf.IntegerField()),
    "top": inline_serializer("AlarmTopTen", _TOP),
    "chattering": drf.IntegerField(help_text="raises that came in threes or more of the same identity within a minute"),
    "fleeting": drf.IntegerField(help_text="raises that returned within a minute, what chatters aside"),
    "stale": drf.IntegerField(help_text="times that an alert was active for more than a day"),
    "acknowledge_time": inline_serializer("AlarmAnswers", _ANSWERS),
    "now": inline_serializer("AlarmsNow", _STANDING),
    "problems": drf.ListField(child=inline_serializer("AlarmProblem", _PROBLEM)),
}
_DESCRIBED = [
    OpenApiParameter("site", OpenApiTypes.INT64, description="all that you may see, if left out"),
    OpenApiParameter(
        "from",
        OpenApiTypes.STR,
        description="a time with an offset, or a day, which is its beginning; a week before `to` if left out",
    ),
    OpenApiParameter("to", OpenApiTypes.STR, description="likewise; now if left out, and at the latest"),
    OpenApiParameter(
        "timezone",
        OpenApiTypes.STR,
        description="an IANA name: on whose clock days begin; that of `site` if left out, else UTC",
    ),
]


class AlarmKpiView(APIView):
    """How the alarm system itself does: rates, floods, priorities, what sounds too often, and what would mend it.

    Measured as ISA-18.2 (IEC 62682) and EEMUA 191 do, of the alerts that the caller may see. What was found in late
    data when it was over already is left out: nobody was told of it.
    """

    @extend_schema(
        operation_id="alerts_kpi",
        parameters=_DESCRIBED,
        responses=inline_serializer("AlarmKpi", _ANSWER),
        tags=["alerts"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, _QUERY)
        access: Any = request.auth
        place = _site(request)
        site = place.pk if place else None
        span = spans.past(request, zone=_zone(request, place), usual=WEEK, now=clock.now())
        report = queries.kpi(access=access, site_id=site, span=span)
        start, end = (isoformat(from_micros(edge)) for edge in span)
        return Response({"site": site, "from": start, "to": end, **_told(report)})


def _site(request: Request) -> Site | None:
    text = request.query_params.get("site")
    if text is None:
        return None
    access: Any = request.auth
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(BIGGEST_ID)) else None
    if number is None:
        raise Invalid("site is the id of a site", pointer="?site")
    found: Site | None = Site.objects.visible_to(access).filter(pk=min(number, BIGGEST_ID)).first()
    if found is None:
        raise NotFound("there is no such site")
    return found


def _zone(request: Request, site: Site | None) -> ZoneInfo:
    name = request.query_params.get("timezone") or (site.timezone if site else "UTC")
    check_zone(name, pointer="?timezone")
    return ZoneInfo(name)


def _told(report: queries.Report) -> dict[str, Any]:
    measures = report.measures
    names = _Names(report)
    return {
        "occurrences": len(measures.raised),
        "annunciations": len(measures.annunciations),
        "rate": _rate(measures),
        "timeline": _timeline(measures),
        "floods": _floods(measures, names),
        "priorities": _priorities(measures),
        "severities": measures.by_severity(),
        "top": _top(measures, names),
        "chattering": len(measures.chattering),
        "fleeting": len(measures.fleeting),
        "stale": len(measures.stale),
        "acknowledge_time": _answers(measures),
        "now": asdict(report.standing),
        "problems": [_problem(problem, names) for problem in report.problems],
    }


class _Names:
    """Identities as people know them."""

    def __init__(self, report: queries.Report) -> None:
        self.report = report

    def __getitem__(self, number: int) -> dict[str, Any]:
        return self.of(self.report.identities[number])

    def of(self, identity: Identity | None) -> dict[str, Any]:
        """Return the members that tell of an identity; all null for none."""
        if identity is None:
            return dict.fromkeys(_IDENTITY)
        asset = {"asset": identity.asset, "asset_name": self.report.assets.get(identity.asset, "")}
        return {**self.rule(identity.rule), **asset, "parameter": identity.parameter}

    def rule(self, rule: int | None) -> dict[str, Any]:
        """Return the members that tell of a rule."""
        return {"rule": rule or None, "rule_name": self.report.rules.get(rule or 0)}


def _rate(measures: Measures) -> dict[str, Any]:
    names = ("least", "most", "intervals")
    return {
        "average": measures.average,
        "peak": int(measures.slots.max()),
        "over_ten": float((measures.slots > FLOOD_ABOVE).mean()),
        "distribution": [dict(zip(names, row, strict=True)) for row in measures.distribution()],
    }


def _timeline(measures: Measures) -> dict[str, Any]:
    together, counts, peaks = measures.timeline(MOST_POINTS)
    width = together * TEN_MINUTES
    starts = (measures.first_slot * TEN_MINUTES + place * width for place in range(len(counts)))
    return {
        "interval": _iso(width),
        "starts": [isoformat(from_micros(start)) for start in starts],
        "annunciations": counts.tolist(),
        "peak": peaks.tolist(),
    }


def _floods(measures: Measures, names: _Names) -> dict[str, Any]:
    largest = sorted(measures.floods, key=lambda flood: -flood.annunciations)[:MOST_LISTED]
    return {
        "begins_above": FLOOD_ABOVE,
        "ends_below": FLOOD_BELOW,
        "count": len(measures.floods),
        "share": measures.flooded,
        "largest": [_flood(flood, names) for flood in sorted(largest)],
    }


def _flood(flood: Flood, names: _Names) -> dict[str, Any]:
    start, end = (isoformat(from_micros(edge)) for edge in (flood.start, flood.end))
    counts = {"annunciations": flood.annunciations, "peak": flood.peak}
    return {"from": start, "to": end, **counts, "first": names[flood.first]}


def _priorities(measures: Measures) -> list[dict[str, Any]]:
    counts, whole = measures.by_severity(), len(measures.annunciations)
    told = []
    for priority, severities in PRIORITIES.items():
        count = sum(counts[severity] for severity in severities)
        share = count / whole if whole else None
        one = {"rank": priority, "severities": list(severities), "count": count, "share": share}
        told.append({**one, "target": PRIORITY_TARGETS[priority]})
    return told


def _top(measures: Measures, names: _Names) -> dict[str, Any]:
    whole, loudest = len(measures.annunciations), measures.loudest
    rules = np.array([identity.rule or 0 for identity in names.report.identities], np.int64)
    by_rule = most_frequent(rules[measures.annunciations.identities], MOST_LISTED)
    return {
        "share": sum(count for _, count in loudest) / whole if whole else None,
        "identities": [{**names[number], "count": count, "share": count / whole} for number, count in loudest],
        "rules": [{**names.rule(rule), "count": count, "share": count / whole} for rule, count in by_rule],
    }


def _answers(measures: Measures) -> dict[str, Any]:
    times, waiting = measures.answers
    middle, most = quantiles(times, (0.5, 0.95))
    return {"count": len(times), "waiting": waiting, "p50": _iso(middle), "p95": _iso(most)}


def _problem(problem: Problem, names: _Names) -> dict[str, Any]:
    told = {"problem": problem.problem, **names.of(problem.identity)}
    return {**told, "count": problem.count, "detail": problem.detail, "fix": problem.fix}


def _iso(micros: int | None) -> str | None:
    return None if micros is None else measured_duration(timedelta(microseconds=micros))
