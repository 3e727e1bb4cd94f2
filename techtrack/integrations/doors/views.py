"""The doors of firmwares as views, each a request at a time; under ASGI most of it goes through gate.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse, UnreadablePostError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.accounts.domain.addresses import address_of
from techtrack.core import clock
from techtrack.core.api.native import Answer
from techtrack.core.errors import Forbidden, Invalid
from techtrack.integrations.doors.firmwares import (
    AIRGRADIENT,
    SENSOR_COMMUNITY,
    Firmware,
    Post,
    accepted,
    asked_settings,
    received,
    refusal,
)
from techtrack.telemetry import services as telemetry


class NotRegistered(Invalid):
    """Nobody has registered the unit: its firmware shows that where it is told so with 400."""

    code = "not_registered"


class FirmwareView(APIView):
    """A door that a unit knocks at by itself: who it is, its services find out."""

    # Firmwares have their own documents; ours is docs/how-to/connect-air-sensors.md.
    schema = None
    door = "readings"
    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []
    throttle_classes: list[Any] = []
    firmware: ClassVar[Firmware]

    def get_exception_handler(self) -> Callable[..., Any]:
        """Answer whatever goes wrong in the firmware's own form."""
        return lambda error, context: _told(self.refused(context["request"], error))

    def refused(self, request: Request, error: Exception) -> Answer:
        """Say what is wrong; of a body that is too long nothing is read again."""
        body = b"" if isinstance(error, (RequestDataTooBig, UnreadablePostError)) else None
        return refusal(self.posted(request, body), error, now=clock.now())

    def posted(self, request: Request, body: bytes | None = None) -> Post:
        """Return what was sent."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        address = address_of(request.META, behind_proxy=settings.BEHIND_PROXY)
        if body is None:
            body = request._request.body  # noqa: SLF001 - as it came: the firmware's codec reads it
        return Post(self.firmware, request.path, headers, address, body, str(self.kwargs.get("serial", "")))


class PushView(FirmwareView):
    """Takes what a unit measured."""

    def post(self, request: Request, **_: str) -> HttpResponse:
        now = clock.now()
        prepared = received(self.posted(request), now=now)
        if prepared.checked is not None:
            telemetry.commit(groups=[prepared.checked], now=now)
        return _told(accepted(self.firmware, prepared))


class CommunityView(PushView):
    """sensor.community: POST ``/v1/push-sensor-data/``."""

    firmware = SENSOR_COMMUNITY


class AirGradientView(PushView):
    """AirGradient: POST ``/sensors/airgradient:{serial}/measures``."""

    firmware = AIRGRADIENT


class AirGradientSettingsView(FirmwareView):
    """AirGradient: GET ``/sensors/airgradient:{serial}/one/config``."""

    firmware = AIRGRADIENT

    def get(self, request: Request, **_: str) -> Response:
        try:
            bound = asked_settings(self.posted(request), now=clock.now())
        except Forbidden as error:
            raise NotRegistered("no sensor is bound to this unit") from error
        return Response(bound.settings)


def _told(answer: Answer) -> HttpResponse:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return HttpResponse(answer.body, status=answer.status, headers=headers, content_type="application/json")
