"""The doors for what people do to alerts, one by one and many at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.accounts.models import User
from techtrack.alerts import services
from techtrack.alerts.api.fields import PersonField
from techtrack.alerts.api.serializers import AlertSerializer
from techtrack.alerts.services import Outcome, Said
from techtrack.core import clock
from techtrack.core.api import concurrency, idempotency
from techtrack.core.api.fields import ChoiceField, IsoDurationField, MomentField, ObjectField, refuse_unknown_fields
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.core.api.problems import answer
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.errors import NotFound

MOST_ITEMS = 500
DONE = 200


class CommentSerializer(serializers.Serializer[Any]):
    """What somebody may say with an action."""

    comment = serializers.CharField(max_length=2000, allow_blank=True, default="")


class RemarkSerializer(serializers.Serializer[Any]):
    """What somebody says about an alert."""

    comment = serializers.CharField(max_length=2000)


class PutAsideSerializer(serializers.Serializer[Any]):
    """Why something is put aside, and until when or for how long."""

    reason = serializers.CharField(max_length=2000)
    until = MomentField(required=False, help_text="This or `duration` is needed.")
    duration = IsoDurationField(required=False, longest=timedelta(days=3660))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("until" in attrs) == ("duration" in attrs):
            raise serializers.ValidationError({"until": "Either until or duration is expected."})
        return attrs


class AssignSerializer(serializers.Serializer[Any]):
    """Who is to look after an alert; null: nobody in particular."""

    assignee = PersonField(queryset=User.objects.all(), allow_null=True)
    comment = serializers.CharField(max_length=2000, allow_blank=True, default="")


BODIES: dict[str, type[serializers.Serializer[Any]]] = {
    "shelve": PutAsideSerializer,
    "out-of-service": PutAsideSerializer,
    "assign": AssignSerializer,
    "comment": RemarkSerializer,
}


class ItemSerializer(serializers.Serializer[Any]):
    """An alert, and the version that it must still have."""

    id = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)


class BulkSerializer(serializers.Serializer[Any]):
    """One action for many alerts; its other members are those that the action takes for one."""

    action = ChoiceField(choices=list(services.ACTIONS))
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID),
        required=False,
        min_length=1,
        max_length=MOST_ITEMS,
        help_text="This or `items` is needed.",
    )
    items = serializers.ListField(child=ItemSerializer(), required=False, min_length=1, max_length=MOST_ITEMS)
    comment = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    reason = serializers.CharField(max_length=2000, required=False)
    until = MomentField(required=False)
    duration = IsoDurationField(required=False)
    assignee = serializers.IntegerField(allow_null=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("items" in attrs):
            raise serializers.ValidationError({"ids": "Either ids or items is expected."})
        named = [{"id": pk} for pk in attrs["ids"]] if "ids" in attrs else attrs["items"]
        asked = {item["id"]: item.get("version") for item in named}
        if len(asked) < len(named):
            raise serializers.ValidationError({"ids" if "ids" in attrs else "items": "An alert is named twice."})
        return attrs | {"asked": asked}


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of one alert."""

    id = serializers.IntegerField()
    status = serializers.IntegerField(help_text="What the action on this alert alone would have answered.")
    alert = AlertSerializer(required=False, help_text="As it is now, where the action was done.")
    problem = ObjectField(required=False, help_text="Why it was not (RFC 9457).")


class OutcomesSerializer(serializers.Serializer[Any]):
    """What became of each alert, in the order in which they were asked for."""

    results = OutcomeSerializer(many=True)


def _acting(body: type[serializers.Serializer[Any]]) -> Any:
    seen = OpenApiParameter("If-Match", str, "header", description="The ETag you have seen; 412 if it changed since.")
    return extend_schema(request=body, responses=AlertSerializer, parameters=[seen])


class AlertActions(ResourceViewSet):
    """What people do to alerts; each answers 409, with who and when, where the facts do not allow it or are so."""

    @_acting(CommentSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response | HttpResponse:
        """Take the alert; the second to try gets 409 with the name of the first."""
        return self._once(request, "acknowledge")

    @_acting(CommentSerializer)
    @action(detail=True, methods=["post"])
    def unacknowledge(self, request: Request, pk: str) -> Response | HttpResponse:
        """Take the acknowledgement of an open alert back: it waits for somebody again."""
        return self._once(request, "unacknowledge")

    @_acting(PutAsideSerializer)
    @action(detail=True, methods=["post"])
    def shelve(self, request: Request, pk: str) -> Response | HttpResponse:
        """Put an open alert aside for a limited time: nobody is told of it, and of the next of its kind, meanwhile."""
        return self._once(request, "shelve")

    @_acting(CommentSerializer)
    @action(detail=True, methods=["post"])
    def unshelve(self, request: Request, pk: str) -> Response | HttpResponse:
        """Bring a shelved alert back before its time."""
        return self._once(request, "unshelve")

    @_acting(CommentSerializer)
    @action(detail=True, methods=["post"])
    def reset(self, request: Request, pk: str) -> Response | HttpResponse:
        """Release a latched alert whose trouble is over."""
        return self._once(request, "reset")

    @_acting(AssignSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response | HttpResponse:
        """Say who is to look after the alert."""
        return self._once(request, "assign")

    @_acting(RemarkSerializer)
    @action(detail=True, methods=["post"])
    def comment(self, request: Request, pk: str) -> Response | HttpResponse:
        """Write a remark into the history of the alert."""
        return self._once(request, "comment")

    @_acting(PutAsideSerializer)
    @action(detail=True, methods=["post"], url_path="out-of-service")
    def out_of_service(self, request: Request, pk: str) -> Response | HttpResponse:
        """Take the alert, and the next of its kind, out of service for a limited time; engineers may."""
        return self._once(request, "out-of-service")

    @_acting(CommentSerializer)
    @action(detail=True, methods=["post"], url_path="return-to-service")
    def return_to_service(self, request: Request, pk: str) -> Response | HttpResponse:
        """Bring the alert back into service before its time; engineers may."""
        return self._once(request, "return-to-service")

    @extend_schema(request=BulkSerializer, responses=OutcomesSerializer)
    @action(detail=False, methods=["post"])
    def actions(self, request: Request) -> Response | HttpResponse:
        """Do one action to up to 500 alerts; what fails for one hinders no other."""
        return idempotency.once(request, lambda: self._many(request))

    def _once(self, request: Request, name: str) -> Response | HttpResponse:
        return idempotency.once(request, lambda: self._one(request, name))

    def _one(self, request: Request, name: str) -> Response:
        alert = self.get_object()
        said = self._said(name, request.data)
        expected = concurrency.expected_version(request, alert.version)
        done = self._guarded(
            alert,
            lambda: services.act(
                alert=alert, action=name, said=said, by=self.request.auth, expected=expected, now=clock.now()
            ),
        )
        return concurrency.tag(Response(self.fresh(done)), done)

    def _many(self, request: Request) -> Response:
        body: Any = request.data
        asked = BulkSerializer(data=body)
        refuse_unknown_fields(body, asked)
        asked.is_valid(raise_exception=True)
        name = asked.validated_data["action"]
        said = self._said(name, {key: body[key] for key in body if key not in {"action", "ids", "items"}})
        outcomes = services.act_on_many(
            action=name, items=asked.validated_data["asked"], said=said, by=self.request.auth, now=clock.now()
        )
        return Response({"results": [self._told(request, outcome) for outcome in outcomes]})

    def _told(self, request: Request, outcome: Outcome) -> dict[str, Any]:
        if outcome.error is None:
            return {"id": outcome.alert_id, "status": DONE, "alert": self.get_serializer(outcome.alert).data}
        status, _, problem = answer(outcome.error, instance=f"/api/alerts/{outcome.alert_id}/")
        return {"id": outcome.alert_id, "status": status, "problem": problem}

    def _said(self, name: str, body: Any) -> Said:
        serializer = BODIES.get(name, CommentSerializer)(data=body, context={"request": self.request})
        refuse_unknown_fields(body, serializer)
        serializer.is_valid(raise_exception=True)
        said = serializer.validated_data
        until = clock.now() + said["duration"] if "duration" in said else said.get("until")
        place = "/duration" if "duration" in said else "/until"
        return Said(said.get("reason", said.get("comment", "")), until, said.get("assignee"), place)


@extend_schema(exclude=True)
class NoSuchActionView(APIView):
    """What is no action on an alert."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound(f"{kwargs['name']!r} is no action on an alert; there are {', '.join(services.ACTIONS)}")
