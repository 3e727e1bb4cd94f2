"""How rules and their revisions look on the wire, and the doors to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import mixins, serializers

from techtrack.accounts.models import Site
from techtrack.alerts import queries, services
from techtrack.alerts.api.fields import ConditionsField, DurationTextField
from techtrack.alerts.api.filters import RuleFilter
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.terms import MOST_STAGES
from techtrack.alerts.models import Rule, RuleFault, RuleRevision
from techtrack.assets.models import Asset, AssetType
from techtrack.core import clock
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import (
    ChoiceField,
    CodeField,
    IsoDurationField,
    MomentField,
    NumberField,
    ObjectField,
    VisibleField,
    WholeSerializer,
)
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.core.api.viewsets import StrictViewSet
from techtrack.core.models import Versioned

STAMPS = ["version", "created_at", "updated_at"]
POLICIES = ["alert", "keep", "return"]
OBJECTS = {"aggregate", "count", "no_data", "schedule", "open_task", "guidance"}


def everywhere() -> dict[str, Any]:
    """Return the scope of a rule that names none: every asset that emits the parameter."""
    return {"site": None, "asset_type": None, "assets": [], "tags": []}


def an_hour() -> dict[str, Any]:
    """Return how old late data may be that are judged, where a rule does not say."""
    return {"late_max_age": timedelta(hours=1)}


def known(asked: list[int], held: list[int], visible: QuerySet, what: str) -> list[int]:
    """Return ids in order, each once, if each is ``visible``.

    What the rule names already may have been deleted since; to send it back is no mistake.
    """
    new = set(asked).difference(held)
    absent = new.difference(visible.filter(pk__in=new).values_list("pk", flat=True))
    if absent:
        raise serializers.ValidationError(f"There is no {what} {min(absent)}.", code="does_not_exist")
    return sorted(set(asked))


class AssetTypeField(serializers.SlugRelatedField[AssetType]):
    """The slug of an asset type."""

    default_error_messages = {"does_not_exist": "There is no asset type {value}."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("slug", queryset=AssetType.objects.all(), **kwargs)


class ScopeSerializer(WholeSerializer):
    """Which assets a rule watches: those that match all that is set."""

    asset_type = AssetTypeField(allow_null=True, default=None)
    site = VisibleField(queryset=Site.objects.all(), allow_null=True, default=None)
    assets = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID), max_length=1000, default=list
    )
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=50, default=list)

    def validate_assets(self, assets: list[int]) -> list[int]:
        held = self.instance.assets if isinstance(self.instance, Rule) else []
        visible = Asset.objects.visible_to(self.context["request"].auth)
        return known(assets, held, visible, "asset")


class VerifySerializer(WholeSerializer):
    """How it is proved that the task has helped: the asset must run so long without another alert of the rule."""

    wanted = serializers.BooleanField(required=False, help_text="It is, unless this says no.")
    run = DurationTextField(required=False, help_text="PT1H, unless something is said.")
    within = DurationTextField(required=False, help_text="Of being done; P7D, unless something is said.")


class OpenTaskSerializer(WholeSerializer):
    """The task that an alert of the rule opens."""

    title = serializers.CharField(max_length=200, required=False)
    priority = serializers.IntegerField(min_value=1, max_value=4, required=False, help_text="1 low … 4 urgent")
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    verify = VerifySerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # As JSON keeps it.
        return attrs | ({"verify": dict(attrs["verify"])} if "verify" in attrs else {})


class GuidanceSerializer(WholeSerializer):
    """What the operator is told with the alert."""

    cause = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    consequence = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    action = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    respond_within = DurationTextField(required=False)


class AggregateSerializer(WholeSerializer):
    """What is judged instead of each reading: a statistic of windows that follow one another."""

    window = DurationTextField()
    statistic = serializers.CharField(max_length=16, default="avg", help_text="Such as avg, min, max")
    min_completeness = NumberField(
        lowest=0.0, highest=1.0, default=0.0, help_text="The share of the expected readings that a window needs"
    )


class CountSerializer(WholeSerializer):
    """A condition counts once it held for ``n`` of the last ``of`` values."""

    n = serializers.IntegerField(min_value=1, max_value=1000)
    of = serializers.IntegerField(min_value=1, max_value=1000)


class NoDataSerializer(WholeSerializer):
    """What the rule makes of silence."""

    after = serializers.CharField(
        max_length=32, help_text="A duration such as PT10M, or 3x: three times the expected interval"
    )
    policy = ChoiceField(
        choices=POLICIES, default="alert", help_text="alert: it is trouble; return: what held is over; keep: neither"
    )
    severity = ChoiceField(choices=SEVERITIES, default="medium")


class LateDataSerializer(WholeSerializer):
    """How old readings may be that are judged although they come late."""

    max_age = IsoDurationField(source="late_max_age")


class ScheduleSerializer(WholeSerializer):
    """When the rule is in force: from each occurrence of an RFC 5545 rule on, for ``duration``."""

    timezone = serializers.CharField(max_length=64, help_text="An IANA name, such as Europe/Berlin")
    rrule = serializers.CharField(max_length=500, help_text="Such as FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=6")
    dtstart = serializers.CharField(max_length=32, required=False)
    duration = DurationTextField()


class StageSerializer(WholeSerializer):
    """How grave an alert becomes that nobody has acknowledged for so long."""

    after = DurationTextField()
    severity = ChoiceField(choices=SEVERITIES)


class RuleFaultSerializer(serializers.ModelSerializer[RuleFault]):
    """Why a rule is not judged."""

    since = MomentField(read_only=True)

    class Meta:
        model = RuleFault
        fields = ["since", "detail"]
        read_only_fields = ["detail"]


class RuleSerializer(serializers.ModelSerializer[Rule]):
    """What to watch, and when it is an alert."""

    scope = ScopeSerializer(source="*", default=everywhere)
    parameter = CodeField(required=False, allow_blank=True, help_text="Blank only where each condition names its own.")
    aggregate = AggregateSerializer(allow_null=True, required=False)
    conditions = ConditionsField()
    deadband = NumberField(lowest=0.0, default=0.0)
    on_delay = IsoDurationField(required=False)
    off_delay = IsoDurationField(required=False)
    count = CountSerializer(allow_null=True, required=False)
    no_data = NoDataSerializer(allow_null=True, required=False)
    late_data = LateDataSerializer(source="*", default=an_hour)
    schedule = ScheduleSerializer(allow_null=True, required=False)
    latched = serializers.BooleanField(required=False, help_text="What has returned waits for a reset.")
    inhibited_by = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID),
        max_length=100,
        required=False,
        help_text="Rules whose active alerts of the same asset hide those of this one.",
    )
    reraise_window = IsoDurationField(
        required=False, help_text="An alert that returned less than so long ago is raised again, and no new one."
    )
    escalation = serializers.ListField(child=StageSerializer(), required=False, max_length=MOST_STAGES)
    open_task = OpenTaskSerializer(allow_null=True, required=False)
    guidance = GuidanceSerializer(required=False)
    fault = RuleFaultSerializer(
        read_only=True,
        allow_null=True,
        default=None,
        help_text="Since when and why the judge cannot judge it anywhere; null while it can.",
    )
    warning = serializers.CharField(
        read_only=True,
        allow_null=True,
        default=None,
        help_text="After a write: that it would be active most of the time, or that another has its name and scope.",
    )
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = Rule
        fields = [
            "id",
            "name",
            "scope",
            "parameter",
            "aggregate",
            "conditions",
            "deadband",
            "on_delay",
            "off_delay",
            "count",
            "no_data",
            "late_data",
            "schedule",
            "latched",
            "inhibited_by",
            "reraise_window",
            "escalation",
            "open_task",
            "guidance",
            "enabled",
            "revision",
            "fault",
            "warning",
            *STAMPS,
        ]
        read_only_fields = ["revision"]

    def validate_inhibited_by(self, rules: list[int]) -> list[int]:
        held = self.instance.inhibited_by if isinstance(self.instance, Rule) else []
        return known(rules, held, Rule.objects.visible_to(self.context["request"].auth), "rule")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # As the columns keep it: plain objects, and the stages one by one.
        plain = {name: dict(value) for name, value in attrs.items() if name in OBJECTS and value is not None}
        stages = {"escalation": [dict(stage) for stage in attrs["escalation"]]} if "escalation" in attrs else {}
        return attrs | plain | stages


class RuleRevisionSerializer(serializers.ModelSerializer[RuleRevision]):
    """A rule as it was from then on."""

    definition = ObjectField(read_only=True, help_text="The rule as it travelled.")
    created_at = MomentField(read_only=True)

    class Meta:
        model = RuleRevision
        fields = ["number", "definition", "created_at", "by"]
        read_only_fields = ["number", "by"]


class RuleViewSet(BulkViewSet):
    """Rules: what to watch, and when it is an alert."""

    queryset = Rule.objects.select_related("asset_type", "site", "fault")
    serializer_class = RuleSerializer
    filterset_class = RuleFilter
    search_fields = ["name", "parameter"]
    ordering_fields = ["id", "name", "parameter", "created_at", "updated_at"]
    ordering = ["name"]

    def add(self, data: dict[str, Any]) -> Rule:
        return services.create_rule(by=self.request.auth, now=clock.now(), data=data)

    def edit(self, instance: Rule, data: dict[str, Any], expected: int | None) -> Rule:
        return services.update_rule(
            rule=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def fresh(self, instance: Versioned) -> Any:
        rule: Any = self.row(instance.pk) or instance
        access = self.request.auth
        often, twins = queries.warning(rule, access=access, now=clock.now()), queries.twins_told(rule, access=access)
        return super().fresh(instance) | {"warning": "; ".join(one for one in (often, twins) if one) or None}

    def drop(self, instance: Rule, expected: int | None) -> None:
        services.delete_rule(rule=instance, by=self.request.auth, expected=expected, now=clock.now())


class RuleRevisionViewSet(mixins.ListModelMixin, StrictViewSet):
    """What a rule said, newest first."""

    queryset = RuleRevision.objects.all()
    serializer_class = RuleRevisionSerializer
    ordering_fields = ["number"]
    ordering = ["-number"]

    def get_queryset(self) -> QuerySet:
        visible = Rule.objects.visible_to(self.request.auth)
        return RuleRevision.objects.filter(rule=get_object_or_404(visible, pk=self.kwargs["rule_pk"]))
