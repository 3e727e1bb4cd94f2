"""The door by which a person makes an alert into work."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.core.api.fields import MomentField, refuse_unknown_fields
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown_parameters
from techtrack.core.api.idempotency import keyed
from techtrack.tasks import services
from techtrack.tasks.api.fields import TaskSerializer
from techtrack.tasks.api.made import made
from techtrack.tasks.models import MOST_PEOPLE, Priority


class AlertTaskSerializer(serializers.Serializer[Any]):
    """What the task says; what is left out is taken from the alert and its rule. Without owners the caller owns it."""

    title = serializers.CharField(max_length=300, required=False)
    description = serializers.CharField(max_length=20_000, allow_blank=True, required=False)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    due_date = MomentField(required=False, allow_null=True)
    owners = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID), max_length=MOST_PEOPLE, required=False
    )


class AlertTaskView(APIView):
    """An alert becomes work: a task about it and its asset, which hides the asset's alerts while it is in progress."""

    @extend_schema(
        operation_id="alerts_task_create", request=AlertTaskSerializer, responses={201: TaskSerializer}, tags=["alerts"]
    )
    @keyed
    def post(self, request: Request, alert_id: int) -> Response:
        """Open a task for an alert; 409 where it has an unfinished one already."""
        refuse_unknown_parameters(request, ())
        access: Any = request.auth
        rows = Alert.objects.visible_to(access).select_related("asset", "rule")
        alert = get_object_or_404(rows, pk=min(alert_id, BIGGEST_ID))
        form = AlertTaskSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        task = services.open_by_hand(alert=alert, by=access, data=form.validated_data, now=clock.now())
        return made(request, task)
