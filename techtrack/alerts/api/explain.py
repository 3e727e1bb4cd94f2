"""The door for why an alert is there."""

from __future__ import annotations

import math
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.alerts import queries
from techtrack.alerts.api.serializers import UNITS, AlertEventSerializer
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.series import Floats
from techtrack.alerts.models import STATES, Alert
from techtrack.core import clock
from techtrack.core.api.fields import IsoDurationField, ObjectField
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown_parameters
from techtrack.core.clock import from_micros, isoformat, measured_duration

_RULE: dict[str, Any] = {
    "id": drf.IntegerField(allow_null=True, help_text="null where the rule is gone"),
    "name": drf.CharField(),
    "revision": drf.IntegerField(allow_null=True, help_text="the one that raised the alert"),
    "current_revision": drf.IntegerField(allow_null=True),
    "definition": ObjectField(
        allow_null=True, help_text="as that revision was; null where nobody knows; its scope only for who may see it"
    ),
}
_HELD: dict[str, Any] = {
    "since": drf.DateTimeField(help_text="when it began to hold: for the first, before the on-delay"),
    "condition": drf.CharField(),
    "severity": drf.ChoiceField(SEVERITIES),
    "limit": drf.FloatField(allow_null=True, help_text=f"what it was compared with. {UNITS}"),
    "value": drf.FloatField(allow_null=True, help_text=f"what was judged then. {UNITS}"),
}
_HIDDEN: dict[str, Any] = {
    "how": drf.ChoiceField(["out_of_service", "shelved", "suppressed"]),
    "by": drf.CharField(help_text="who put it aside, or what explains it, as far as you may see that"),
    "until": drf.DateTimeField(allow_null=True),
    "reason": drf.CharField(),
}
_ESCALATED: dict[str, Any] = {
    "at": drf.DateTimeField(),
    "before": drf.ChoiceField(SEVERITIES),
    "after": drf.ChoiceField(SEVERITIES),
}
_ORIGIN: dict[str, Any] = {
    "source": drf.ChoiceField(["rule", "attribute", "default"], help_text="`attribute`: of the asset"),
    "attribute": drf.CharField(allow_null=True),
}
_WORST: dict[str, Any] = {
    "value": drf.FloatField(),
    "at": drf.DateTimeField(),
    "side": drf.ChoiceField(["highest", "lowest"]),
}
_SERIES: dict[str, Any] = {
    "parameter": drf.CharField(),
    "unit": drf.CharField(),
    "interval": drf.CharField(allow_null=True, help_text="of the buckets; null for readings as they came"),
    "columns": drf.ListField(child=drf.CharField(), help_text="`time, value`, or `start, min, max, avg`"),
    "rows": drf.ListField(child=drf.ListField(child=drf.JSONField()), help_text="500 at most"),
}
_UNREADABLE: dict[str, Any] = {"from": drf.DateTimeField(), "to": drf.DateTimeField()}
_READINGS: dict[str, Any] = {
    "from": drf.DateTimeField(),
    "to": drf.DateTimeField(),
    "series": drf.ListField(child=inline_serializer("EvidenceSeries", _SERIES)),
    "unreadable": drf.ListField(
        child=inline_serializer("EvidenceUnreadable", _UNREADABLE), help_text="stretches of which readings are damaged"
    ),
}
_BRIEF: dict[str, Any] = {
    "id": drf.IntegerField(),
    "asset": drf.IntegerField(),
    "asset_name": drf.CharField(),
    "parameter": drf.CharField(),
    "title": drf.CharField(),
    "severity": drf.ChoiceField(SEVERITIES),
    "state": drf.ChoiceField(STATES),
    "raised_at": drf.DateTimeField(),
    "returned_at": drf.DateTimeField(allow_null=True),
}
_PRECEDENT: dict[str, Any] = {
    **_BRIEF,
    "alike": drf.ChoiceField(
        ["identity", "type"], help_text="`identity`: rule, asset and parameter; `type`: the rule, and the asset's type"
    ),
    "duration": IsoDurationField(allow_null=True, help_text="null while it is active"),
    "occurrences": drf.IntegerField(),
    "acknowledged_by": drf.IntegerField(allow_null=True),
    "acknowledged_by_name": drf.CharField(allow_null=True),
    "acknowledged_after": IsoDurationField(allow_null=True),
    "comments": drf.ListField(child=drf.CharField(), help_text="what people said, of the acknowledgement first"),
    "tasks": drf.ListField(child=drf.IntegerField(), help_text="that its events name"),
}
_OTHER: dict[str, Any] = {
    **_BRIEF,
    "same_asset": drf.BooleanField(),
    "earlier": drf.BooleanField(help_text="raised before this alert: perhaps its cause"),
}
_ANSWER: dict[str, Any] = {
    "alert": drf.IntegerField(),
    "sentence": drf.CharField(help_text="what happened, in plain words; times are those of the site"),
    "rule": inline_serializer("EvidenceRule", _RULE, allow_null=True, help_text="null: a person reported it"),
    "held": drf.ListField(
        child=inline_serializer("EvidenceHeld", _HELD), help_text="which condition held since when, in turn"
    ),
    "ended": drf.CharField(
        allow_null=True, help_text="`it returned`, or what happened to its rule instead; null while it is active"
    ),
    "escalated": drf.ListField(
        child=inline_serializer("EvidenceEscalated", _ESCALATED), help_text="since it was last raised"
    ),
    "hidden": drf.ListField(
        child=inline_serializer("EvidenceHidden", _HIDDEN), help_text="what hides it now; empty where nothing does"
    ),
    "limit_from": inline_serializer("EvidenceOrigin", _ORIGIN, allow_null=True),
    "worst": inline_serializer("EvidenceWorst", _WORST, allow_null=True, help_text="the worst reading while it held"),
    "readings": inline_serializer("EvidenceReadings", _READINGS),
    "events": AlertEventSerializer(many=True, help_text="the newest 200, oldest first"),
    "similar": drf.ListField(child=inline_serializer("EvidenceSimilar", _PRECEDENT)),
    "others": drf.ListField(
        child=inline_serializer("EvidenceOther", _OTHER),
        help_text="active when it was raised, or raised soon after: of its asset, then of its site; each first first",
    ),
    "guidance": ObjectField(help_text="what the rule tells the operator"),
}


class AlertExplanationView(APIView):
    """Why an alert is there: the rule as it was, what held since when, the readings around it, and what else was.

    Everything is recorded evidence; nothing is guessed. The last time that the alert was raised is explained.
    """

    @extend_schema(operation_id="alert_explain", responses=inline_serializer("AlertExplanation", _ANSWER))
    def get(self, request: Request, alert_pk: int) -> Response:
        refuse_unknown_parameters(request, ())
        access: Any = request.auth
        visible = Alert.objects.visible_to(access).select_related(
            "asset__type", "rule__asset_type", "shelved_by", "out_of_service_by"
        )
        alert = get_object_or_404(visible, pk=min(alert_pk, BIGGEST_ID))
        found = queries.explain(alert=alert, access=access, now=clock.now())
        return Response(_told(found, request))


def _told(found: queries.Explanation, request: Request) -> dict[str, Any]:
    alert = found.alert
    return {
        "alert": alert.pk,
        "sentence": found.sentence,
        "rule": _rule(found),
        "held": [_held(one) for one in found.held],
        "ended": found.ended,
        "escalated": [one._asdict() | {"at": isoformat(one.at)} for one in found.escalated],
        "hidden": [one._asdict() | {"until": one.until and isoformat(one.until)} for one in found.hidden],
        "limit_from": found.origin._asdict() if found.origin else None,
        "worst": _worst(found),
        "readings": _readings(found),
        "events": AlertEventSerializer(found.events, many=True, context={"request": request}).data,
        "similar": [_precedent(one) for one in found.precedents],
        "others": [_other(one, alert) for one in found.others],
        "guidance": found.definition.get("guidance") or {},
    }


def _rule(found: queries.Explanation) -> dict[str, Any] | None:
    if found.rule is None:
        return None
    alert = found.alert
    return {
        "id": alert.rule_id,
        "name": found.rule,
        "revision": alert.revision,
        "current_revision": alert.rule.revision if alert.rule else None,
        "definition": found.definition or None,
    }


def _held(one: queries.Held) -> dict[str, Any]:
    told = {"since": isoformat(one.since), "condition": one.condition, "severity": one.severity}
    return {**told, "limit": one.limit, "value": one.value}


def _worst(found: queries.Explanation) -> dict[str, Any] | None:
    if found.worst is None:
        return None
    side = "highest" if found.worst.highest else "lowest"
    return {"value": found.worst.value, "at": isoformat(found.worst.at), "side": side}


def _readings(found: queries.Explanation) -> dict[str, Any]:
    start, end = (isoformat(from_micros(edge)) for edge in found.span)
    lost = [
        {"from": isoformat(from_micros(one.start)), "to": isoformat(from_micros(one.end))} for one in found.unreadable
    ]
    return {"from": start, "to": end, "series": [_series(line) for line in found.lines], "unreadable": lost}


def _series(line: queries.Line) -> dict[str, Any]:
    times, *values = line.columns.values()
    stamps = [isoformat(from_micros(time)) for time in times.tolist()]
    return {
        "parameter": line.parameter,
        "unit": line.unit,
        "interval": None if line.interval is None else str(line.interval),
        "columns": list(line.columns),
        "rows": [list(row) for row in zip(stamps, *map(_numbers, values), strict=True)],
    }


def _numbers(column: Floats) -> list[float | None]:
    """Write null where there is no number: a direction has no highest value."""
    return [None if math.isnan(value) else value for value in column.tolist()]


def _brief(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "asset": alert.asset_id,
        "asset_name": alert.asset.name,
        "parameter": alert.parameter,
        "title": alert.title,
        "severity": alert.severity,
        "state": alert.state,
        "raised_at": isoformat(alert.raised_at),
        "returned_at": isoformat(alert.returned_at) if alert.returned_at else None,
    }


def _precedent(one: queries.Precedent) -> dict[str, Any]:
    alert = one.alert
    taken, lasted = alert.acknowledged_at, queries.duration_of(alert)
    return {
        **_brief(alert),
        "alike": one.alike,
        "duration": measured_duration(lasted) if lasted is not None else None,
        "occurrences": alert.occurrences,
        "acknowledged_by": alert.acknowledged_by_id,
        "acknowledged_by_name": alert.acknowledged_by.username if alert.acknowledged_by else None,
        "acknowledged_after": measured_duration(taken - alert.raised_at) if taken else None,
        "comments": [comment for comment in dict.fromkeys([alert.ack_comment, *one.comments]) if comment],
        "tasks": one.tasks,
    }


def _other(other: Alert, alert: Alert) -> dict[str, Any]:
    earlier = other.raised_at < alert.raised_at
    return {**_brief(other), "same_asset": other.asset_id == alert.asset_id, "earlier": earlier}
