"""Checklists and reminders as fields of a task, and the answers to a checklist as a resource below it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.fields import ObjectField, refuse_unknown_fields
from techtrack.core.api.idempotency import keyed
from techtrack.core.api.problems import with_current
from techtrack.core.errors import Stale
from techtrack.tasks import queries, services
from techtrack.tasks.api.of_task import OfTask
from techtrack.tasks.domain.reminders import LONGEST_BEFORE, MOST_REMINDERS, dump_reminders, parse_reminders
from techtrack.tasks.domain.steps import KINDS, MOST_STEPS, Verdict, written_steps
from techtrack.tasks.models import Task


def _step_schema(kind: str) -> dict[str, Any]:
    (described,), definitions = msgspec.json.schema_components([KINDS[kind]], ref_template="{name}")
    schema: dict[str, Any] = definitions[described["$ref"]]
    return {
        "type": "object",
        "title": schema["title"],
        "description": schema.get("description", ""),
        "required": ["type", "title", *(name for name in schema.get("required", []) if name != "title")],
        "properties": {"type": {"type": "string", "enum": [kind]}, **schema["properties"]},
        "additionalProperties": False,
    }


STEP = {"anyOf": [_step_schema(kind) for kind in KINDS]}


@extend_schema_field({"type": "array", "maxItems": MOST_STEPS, "items": STEP})
class ChecklistField(serializers.Field):
    """The steps of a checklist; a step without a key gets one."""

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        held = getattr(self.parent, "instance", None)
        taken = {step["key"] for step in held.checklist} | set(held.answers) if isinstance(held, Task) else set()
        return written_steps(data, taken=taken, pointer=f"/{self.field_name}")

    def to_representation(self, value: Any) -> Any:
        return value


REMINDER = {
    "type": "object",
    "description": "At a moment, or so long before the task is due.",
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        "at": {"type": "string", "format": "date-time"},
        "before": {
            "type": "string",
            "format": "duration",
            "description": f"{LONGEST_BEFORE.days} days at most.",
            "examples": ["PT1H"],
        },
    },
    "additionalProperties": False,
}


@extend_schema_field({"type": "array", "maxItems": MOST_REMINDERS, "items": REMINDER})
class RemindersField(serializers.Field):
    """When the owners of a task are reminded of it."""

    def to_internal_value(self, data: Any) -> list[dict[str, str]]:
        return dump_reminders(parse_reminders(data, pointer=f"/{self.field_name}"))

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["value", "restarted", "verdict", "by", "at"],
            "properties": {
                "value": {"type": ["boolean", "number", "string"]},
                "restarted": {"type": "boolean", "description": "The meter begins anew."},
                "verdict": {"type": "string", "enum": [verdict.value for verdict in Verdict]},
                "by": {"type": "integer", "description": "A person's id."},
                "at": {"type": "string", "format": "date-time"},
            },
        },
    }
)
class AnsweredField(serializers.Field):
    """What was answered to the steps of a checklist, by their keys."""


@extend_schema_field(
    {
        "type": "object",
        "required": ["total", "answered", "failed"],
        "properties": {name: {"type": "integer"} for name in ("total", "answered", "failed")},
    }
)
class ProgressField(serializers.Field):
    """How far a checklist is: its steps, those that are answered, and those among them that have failed."""


def shown(task: Task) -> dict[str, Any]:
    """Return the checklist of a task as it looks on the wire."""
    if not task.checklist:
        return {"checklist": [], "answers": {}, "progress": {"total": 0, "answered": 0, "failed": 0}}
    checked = queries.checked(task)
    return {"checklist": task.checklist, "answers": checked.answers, "progress": asdict(checked.progress)}


class AnswersSerializer(serializers.Serializer[Any]):
    """What is to be answered."""

    answers = ObjectField(
        help_text='By the keys of the steps, such as `{"belt_tension": {"value": 51.5}}`; of a meter that begins anew '
        'with `"restarted": true`. `null` takes an answer back.'
    )


class AnsweredSerializer(serializers.Serializer[Any]):
    """How far the checklist of a task is; ``version`` is the task's."""

    answers = AnsweredField()
    progress = ProgressField()
    version = serializers.IntegerField()


class AnswersViewSet(OfTask):
    """What technicians answer to the steps of a task's checklist; each step for itself."""

    queryset = Task.objects.all()
    serializer_class = AnswersSerializer

    @extend_schema(operation_id="tasks_answers_retrieve", responses=AnsweredSerializer)
    def retrieve(self, request: Request, **_: Any) -> Response:
        """Get what was answered so far."""
        return concurrency.tag_whole(Response(_answered(self.task)), self.task)

    @extend_schema(operation_id="tasks_answers_partial_update", request=AnswersSerializer, responses=AnsweredSerializer)
    @keyed
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Answer some of the steps; the others keep their answers, whoever answers them at the same time."""
        form = AnswersSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        expected = concurrency.expected_version(request, self.task.version)
        answers = form.validated_data["answers"]
        try:
            task = services.answer_steps(
                task=self.task, by=self.request.auth, answers=answers, expected=expected, now=clock.now()
            )
        except Stale as error:
            current = Task.objects.get(pk=self.task.pk)
            raise with_current(error, current.version, _answered(current)) from error
        return concurrency.tag(Response(_answered(task)), task)


def _answered(task: Task) -> dict[str, Any]:
    known = shown(task)
    return {"answers": known["answers"], "progress": known["progress"], "version": task.version}
