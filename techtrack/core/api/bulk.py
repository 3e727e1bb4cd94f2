"""Many writes in one request, with what became of each; all of them or none, unless they are asked for one by one."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models, transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import events
from techtrack.core.api import idempotency
from techtrack.core.api.fields import ChoiceField, ObjectField, WholeSerializer, refuse_unknown_fields
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.core.api.problems import INTERNAL, answer
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.errors import Invalid

MOST_ITEMS = 500
FLAGS = {"true": True, "false": False}
MADE, DONE, REMOVED, MIXED = 201, 200, 204, 207
# What the views are told they do, as if each item had come alone.
ACTIONS = {"create": "create", "update": "partial_update", "delete": "destroy"}


class WriteSerializer(WholeSerializer):
    """One write: ``body`` is what it would have alone, an update merges like PATCH."""

    action = ChoiceField(choices=list(ACTIONS))
    id = serializers.IntegerField(
        min_value=1, max_value=BIGGEST_ID, required=False, help_text="Of what is updated or deleted."
    )
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="The version that you have read, as `If-Match`."
    )
    body = ObjectField(required=False, help_text="Of what is created or updated.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for what the action needs, and refuse what it would not look at."""
        needed = {"create": {"body"}, "update": {"id", "body"}, "delete": {"id"}}[attrs["action"]]
        may = needed | (set() if attrs["action"] == "create" else {"version"})
        if missing := sorted(needed - set(attrs)):
            raise serializers.ValidationError({missing[0]: f"To {attrs['action']}, this is needed."}, code="required")
        if extra := sorted(set(attrs) - may - {"action"}):
            raise serializers.ValidationError({extra[0]: f"To {attrs['action']} does not take this."}, code="invalid")
        return attrs


class WritesSerializer(serializers.Serializer[Any]):
    """Writes, done in this order."""

    items = serializers.ListField(child=WriteSerializer(), min_length=1, max_length=MOST_ITEMS)


class WrittenSerializer(serializers.Serializer[Any]):
    """What became of one write."""

    status = serializers.IntegerField(help_text="What it would have been answered alone.")
    id = serializers.IntegerField(required=False)
    version = serializers.IntegerField(required=False, help_text="The version that it has now.")
    problem = ObjectField(required=False, help_text="Why it was not done (RFC 9457).")


class AllWrittenSerializer(serializers.Serializer[Any]):
    """What became of each write, in the order in which they were asked for."""

    stored = serializers.BooleanField(help_text="Whether what was done is kept: false for a dry run, or a failure.")
    results = WrittenSerializer(many=True)


class BulkViewSet(ResourceViewSet):
    """A resource of which many are written at once; what is ``alone`` among its fields is written one by one only."""

    alone: ClassVar[frozenset[str]] = frozenset()

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | ({"atomic", "dry_run"} if self.action == "bulk" else set())

    @extend_schema(
        request=WritesSerializer,
        responses={DONE: AllWrittenSerializer, MIXED: AllWrittenSerializer},
        parameters=[
            OpenApiParameter("atomic", bool, description="All or nothing, the default; false: what can be done is."),
            OpenApiParameter("dry_run", bool, description="Try everything, keep nothing."),
        ],
    )
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response | HttpResponse:
        """Create, update and delete up to 500: 200 if all could be done, 207 if some could not."""
        return idempotency.once(request, lambda: self._bulk(request))

    def _bulk(self, request: Request) -> Response:
        atomic, dry = _flag(request, "atomic", default=True), _flag(request, "dry_run", default=False)
        asked = WritesSerializer(data=request.data)
        refuse_unknown_fields(request.data, asked)
        asked.is_valid(raise_exception=True)
        items: list[dict[str, Any]] = asked.validated_data["items"]
        with transaction.atomic():
            with events.at_once() as told:
                self.hold([item["id"] for item in items if "id" in item])
                results = [self._tried(item, place, told) for place, item in enumerate(items)]
                good = all("problem" not in result for result in results)
                stored = not dry and (good or not atomic)
                if not stored:
                    told.clear()
            if not stored:
                transaction.set_rollback(True)
        self.action = "bulk"
        return Response({"stored": stored, "results": results}, status=DONE if good else MIXED)

    def hold(self, ids: list[int]) -> None:
        """Lock the rows that will be written."""
        # In the order of their ids: two requests that name the same rows wait for each other, and do not deadlock.
        seen = list(self.get_queryset().filter(pk__in=ids).values_list("pk", flat=True))
        rows: models.QuerySet = models.QuerySet(self.get_queryset().model).filter(pk__in=seen).order_by("pk")
        list(rows.select_for_update(no_key=True).values_list("pk", flat=True))

    def _tried(self, item: dict[str, Any], place: int, told: list[object]) -> dict[str, Any]:
        self.action, known = ACTIONS[item["action"]], len(told)
        try:
            with transaction.atomic():
                return self._done(item)
        except Exception as error:
            del told[known:]
            status, _, body = answer(error, instance=self.request.path)
            if status >= INTERNAL:
                # Nothing that the item is to blame for, such as a database that is away: it is asked for all again.
                raise
            for fault in body["errors"]:
                fault["pointer"] = f"/items/{place}/body{fault['pointer']}"
            return _named(item) | {"status": status, "problem": body}

    def _done(self, item: dict[str, Any]) -> dict[str, Any]:
        if shut := sorted(self.alone & item.get("body", {}).keys()):
            raise Invalid("this is written one by one, at the item itself", pointer=f"/{shut[0]}")
        if item["action"] == "create":
            made = self.make(item["body"])
            return {"status": MADE, "id": made.pk, "version": made.version}
        expected = item.get("version")
        instance = self._found(item["id"])
        if item["action"] == "delete":
            self.drop(instance, expected)
            return _named(item) | {"status": REMOVED}
        changed = self.rewrite(instance, item["body"], expected, partial=True)
        return _named(item) | {"status": DONE, "version": changed.version}

    def _found(self, pk: int) -> Any:
        if (found := self.row(pk)) is None:
            raise Http404
        return found


def _named(item: dict[str, Any]) -> dict[str, Any]:
    return {"id": item["id"]} if "id" in item else {}


def _flag(request: Request, name: str, *, default: bool) -> bool:
    text = request.query_params.get(name)
    if text is None:
        return default
    if text not in FLAGS:
        raise Invalid(f"{name} is true or false", pointer=f"?{name}")
    return FLAGS[text]
