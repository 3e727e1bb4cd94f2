"""How previews look on the wire: what is asked of the rule lab, and what it answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers as drf

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import PreviewRun, PreviewState
from techtrack.alerts.queries.lab import LIMITS, MOST_ASSETS, MOST_CELLS, MOST_INCIDENTS
from techtrack.core.api.fields import IsoDurationField, MomentField, NumberField, ObjectField, WholeSerializer
from techtrack.core.api.filters import BIGGEST_ID

LONGEST = timedelta(days=3660)


class _Between(WholeSerializer):
    """Something with a start and an end, called ``from`` and ``to``."""

    def get_fields(self) -> dict[str, drf.Field]:
        return {"from": MomentField(), "to": MomentField(), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["to"] <= attrs["from"]:
            raise drf.ValidationError({"to": "This is not after `from`."}, code="invalid")
        return attrs


class KnownIncidentSerializer(_Between):
    """Something that is known to have happened; an alert that is active in this time has found it."""

    asset = drf.IntegerField(
        min_value=1,
        max_value=BIGGEST_ID,
        allow_null=True,
        required=False,
        help_text="Without one, any of the assets may tell of it.",
    )
    name = drf.CharField(max_length=200, required=False)


class SweepSerializer(WholeSerializer):
    """The settings that are tried, each with each."""

    limit = drf.ListField(
        child=NumberField(),
        required=False,
        min_length=1,
        max_length=MOST_CELLS,
        help_text=f"Of the first condition, if that is one of {', '.join(LIMITS)}; "
        "a limit from an attribute is tried as a number.",
    )
    deadband = drf.ListField(child=NumberField(lowest=0.0), required=False, min_length=1, max_length=MOST_CELLS)
    on_delay = drf.ListField(child=IsoDurationField(), required=False, min_length=1, max_length=MOST_CELLS)
    off_delay = drf.ListField(child=IsoDurationField(), required=False, min_length=1, max_length=MOST_CELLS)


class PreviewQuestionSerializer(_Between):
    """A rule as `/api/rules/` takes it, or the `rule_id` of one with `changes` as a PATCH has them."""

    rule = ObjectField(required=False, help_text="As POST /api/rules/ takes it; the name may be left out.")
    rule_id = drf.IntegerField(min_value=1, max_value=BIGGEST_ID, required=False)
    changes = ObjectField(required=False, help_text="With `rule_id`: as PATCH /api/rules/{id}/ takes them.")
    assets = drf.ListField(
        child=drf.IntegerField(min_value=1, max_value=BIGGEST_ID),
        required=False,
        min_length=1,
        max_length=MOST_ASSETS,
        help_text="Those of the rule's scope that the caller may see, if left out.",
    )
    incidents = drf.ListField(child=KnownIncidentSerializer(), required=False, max_length=MOST_INCIDENTS)
    sweep = SweepSerializer(required=False)
    advice = drf.BooleanField(required=False, default=True, help_text="Look for settings that calm a restless rule.")
    background = drf.BooleanField(required=False, default=False, help_text="Answer 202 and make it beside.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if ("rule" in attrs) == ("rule_id" in attrs):
            raise drf.ValidationError({"rule": "Either a rule or the `rule_id` of one is expected."}, code="required")
        if attrs["to"] - attrs["from"] > LONGEST:
            raise drf.ValidationError({"from": "At most ten years are looked at."}, code="invalid")
        return attrs


def _duration(text: str = "", *, null: bool = False) -> drf.Field:
    return IsoDurationField(help_text=text, allow_null=null)


class PreviewDaySerializer(drf.Serializer):
    """A day (UTC) with raises."""

    day = drf.DateField()
    raises = drf.IntegerField()


class PreviewBeforeAfterSerializer(drf.Serializer):
    """A count with the rule as it is, and as it is advised."""

    before = drf.IntegerField()
    after = drf.IntegerField()


class PreviewChangesSerializer(drf.Serializer):
    """What PATCH /api/rules/{id}/ takes."""

    deadband = drf.FloatField()
    on_delay = IsoDurationField()
    off_delay = IsoDurationField()


class PreviewAdviceSerializer(drf.Serializer):
    """Settings that would calm the rule at the least added delay."""

    asset = drf.IntegerField(help_text="whose readings it was computed from")
    changes = PreviewChangesSerializer()
    raises = PreviewBeforeAfterSerializer()
    repeats = PreviewBeforeAfterSerializer()
    detail = drf.CharField()


def _counted() -> dict[str, drf.Field]:
    return {
        "readings": drf.IntegerField(),
        "alerts": drf.IntegerField(help_text="those taken up again within the rule's `reraise_window` count once"),
        "raises": drf.IntegerField(),
        "repeats": drf.IntegerField(help_text="raises within a minute, or six values, of the return before"),
        "chattering": drf.IntegerField(help_text="raises that belong to three within a minute"),
        "active": _duration("how long in all"),
        "share": drf.FloatField(help_text="the share of the time, from the first reading on, in which it was active"),
        "severities": drf.DictField(child=drf.IntegerField(), help_text="raises by severity"),
        "days": PreviewDaySerializer(many=True),
        "longest": _duration(),
        "incidents_found": drf.IntegerField(),
        "incidents_missed": drf.IntegerField(),
        "lead_time": _duration("on average, before the end of those found", null=True),
        "false_alarms": drf.IntegerField(
            allow_null=True, help_text="alerts that tell of no incident; null without any"
        ),
    }


def _asset() -> drf.Field:
    episode: dict[str, drf.Field] = {
        "raised_at": MomentField(),
        "returned_at": MomentField(allow_null=True),
        "severity": drf.ChoiceField(SEVERITIES),
        "value": drf.FloatField(allow_null=True),
        "limit": drf.FloatField(allow_null=True),
    }
    baseline: dict[str, drf.Field] = {
        "kind": drf.ChoiceField(["deviation", "control_chart"]),
        "parameter": drf.CharField(),
        "mean": drf.FloatField(),
        "stddev": drf.FloatField(),
        "cp": drf.FloatField(allow_null=True),
        "cpk": drf.FloatField(allow_null=True),
    }
    fields: dict[str, drf.Field] = {
        "asset": drf.IntegerField(),
        "name": drf.CharField(),
        "note": drf.CharField(help_text="why there is nothing to tell, or what could not be read"),
        **_counted(),
        "standing": drf.BooleanField(help_text="whether it is active at the end"),
        "episodes": drf.ListField(child=inline_serializer("PreviewEpisode", episode)),
        "episodes_left_out": drf.IntegerField(),
        "baselines": drf.ListField(child=inline_serializer("PreviewBaseline", baseline)),
        "advice": PreviewAdviceSerializer(allow_null=True),
    }
    return inline_serializer("PreviewOfAsset", fields)


def _cell() -> drf.Field:
    fields: dict[str, drf.Field] = {
        "limit": drf.FloatField(allow_null=True),
        "deadband": drf.FloatField(allow_null=True),
        "on_delay": _duration(null=True),
        "off_delay": _duration(null=True),
        **{name: field for name, field in _counted().items() if name in {"alerts", "raises", "repeats", "active"}},
        "share": drf.FloatField(),
        "incidents_found": drf.IntegerField(),
        "lead_time": _duration(null=True),
        "false_alarms": drf.IntegerField(allow_null=True),
        "added_delay": _duration("beside the rule's own on-delay"),
        "note": drf.CharField(help_text="why these settings make no sense"),
    }
    return inline_serializer("PreviewCell", fields)


def _total() -> drf.Field:
    load: dict[str, drf.Field] = {
        "per_ten_minutes": drf.FloatField(help_text="annunciations, on average"),
        "peak": drf.IntegerField(help_text="most in ten minutes"),
        "flooded": drf.FloatField(help_text="the share of the time that was flood, as /api/alerts/kpi/ counts it"),
    }
    standing = drf.IntegerField(help_text="how many are active at the end")
    return inline_serializer(
        "PreviewTotal", {**_counted(), "standing": standing, "load": inline_serializer("PreviewLoad", load)}
    )


class PreviewSerializer(_Between):
    """What the rule would have done."""

    rule = drf.IntegerField(allow_null=True)
    note = drf.CharField(help_text="Why there is nothing to tell.")
    total = _total()
    assets = drf.ListField(child=_asset())
    incidents = drf.ListField(
        child=inline_serializer(
            "PreviewIncident",
            {
                "name": drf.CharField(),
                "asset": drf.IntegerField(allow_null=True),
                "from": MomentField(),
                "to": MomentField(),
                "found": drf.BooleanField(),
                "lead_time": _duration("from the alert to the end of the incident", null=True),
            },
        )
    )
    sweep = drf.ListField(child=_cell())
    advice = PreviewAdviceSerializer(allow_null=True)
    warning = drf.CharField(allow_null=True, help_text="Such as: it would be active for most of the stored history.")


class PreviewRunSerializer(drf.ModelSerializer[PreviewRun]):
    """A preview in the background; `result` once it is done."""

    state = drf.ChoiceField(choices=PreviewState.choices)
    done = drf.IntegerField(help_text="Assets, each once for itself and once for each cell of the sweep.")
    result = drf.SerializerMethodField()

    class Meta:
        model = PreviewRun
        fields = ["id", "state", "done", "total", "error", "result", "created_at", "started_at", "finished_at"]
        read_only_fields = fields

    @extend_schema_field(PreviewSerializer(allow_null=True))
    def get_result(self, run: PreviewRun) -> Any:
        """Return it in the form in which it is kept and travels."""
        return run.result
