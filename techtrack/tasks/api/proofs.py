"""What telemetry says of the work of a task, as a resource below it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.fields import IsoDurationField, refuse_unknown_fields
from techtrack.core.api.idempotency import keyed
from techtrack.core.api.problems import with_current
from techtrack.core.clock import MICROSECOND, from_micros, iso_duration, isoformat, measured_duration
from techtrack.core.errors import Stale
from techtrack.tasks import services
from techtrack.tasks.api.of_task import OfTask
from techtrack.tasks.models import Phase, Proof, Task
from techtrack.tasks.queries import proofs

_NUMBER = {"type": ["number", "null"]}


@extend_schema_field(
    {
        "type": ["object", "null"],
        "required": ["alert", "at", "parameter", "value", "limit"],
        "properties": {
            "alert": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"},
            "parameter": {"type": "string"},
            "value": _NUMBER,
            "limit": _NUMBER,
        },
    }
)
class EvidenceField(serializers.Field):
    """What speaks against the work: an alert of the same rule, while the asset ran."""


class ProofSerializer(serializers.Serializer[Any]):
    """Whether the work of a task has helped, as telemetry sees it; ``version`` is the task's."""

    wanted = serializers.BooleanField()
    run = IsoDurationField(help_text="So long the asset must run without an alert of the same rule.")
    within = IsoDurationField(help_text="In so much time after the work was done.")
    phase = serializers.ChoiceField(choices=Phase.values, allow_null=True, help_text="null: the work is not done.")
    attempt = serializers.IntegerField(help_text="How often the work was done.")
    since = serializers.DateTimeField(allow_null=True)
    ran = serializers.CharField(help_text="A duration: how long it ran well so far.")
    seen_until = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    evidence = EvidenceField(allow_null=True)
    version = serializers.IntegerField()


class WishSerializer(serializers.Serializer[Any]):
    """Whether and how work is to be proved; a duration that is null is as the rule says, or as usual."""

    wanted = serializers.BooleanField(default=True)
    run = IsoDurationField(allow_null=True, default=None, longest=timedelta(days=366))
    within = IsoDurationField(allow_null=True, default=None, longest=timedelta(days=366))


class ProofViewSet(OfTask):
    """Whether the work of a task has helped: telemetry proves it while the asset runs, or opens the task again."""

    queryset = Task.objects.all()
    serializer_class = WishSerializer

    @extend_schema(operation_id="tasks_verification_retrieve", responses=ProofSerializer)
    def retrieve(self, request: Request, **_: Any) -> Response:
        """Get how far it is."""
        return concurrency.tag_whole(Response(_shown(self.task)), self.task)

    @extend_schema(operation_id="tasks_verification_update", request=WishSerializer, responses=ProofSerializer)
    @keyed
    def update(self, request: Request, **_: Any) -> Response:
        """Say whether it is to be proved, for how long and in what time; also while it is being proved."""
        form = WishSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        said, task = form.validated_data, self.task
        expected = concurrency.expected_version(request, task.version)
        wish = {"wanted": said["wanted"], "run": said["run"], "patience": said["within"]}
        try:
            task = services.set_proof(task=task, by=self.request.auth, wish=wish, expected=expected, now=clock.now())
        except Stale as error:
            current = Task.objects.whole().get(pk=task.pk)
            raise with_current(error, current.version, _shown(current)) from error
        return concurrency.tag(Response(_shown(task)), task)


def _shown(task: Task) -> dict[str, Any]:
    of_alert = task.alert.rule if task.alert else None
    found = Proof.objects.select_related("rule").filter(task=task.pk).first()
    row = found or Proof(wanted=of_alert is not None and proofs.is_wanted(of_alert))
    run, patience = proofs.usual_terms(row.rule or of_alert)
    return {
        "wanted": row.wanted,
        "run": iso_duration(row.run or run),
        "within": iso_duration(row.patience or patience),
        "phase": row.phase or None,
        "attempt": row.attempt,
        "since": _moment(row.since),
        "ran": measured_duration(row.ran * MICROSECOND),
        "seen_until": _moment(row.seen),
        "ended_at": _moment(row.ended),
        "evidence": row.evidence,
        "version": task.version,
    }


def _moment(micros: int | None) -> str | None:
    return None if micros is None else isoformat(from_micros(micros))
