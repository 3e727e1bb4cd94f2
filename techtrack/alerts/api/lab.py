"""The door to the rule lab: what a rule would have done, at once or in the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.accounts.domain.access import Access
from techtrack.alerts import queries, services
from techtrack.alerts.api.lab_shapes import PreviewQuestionSerializer, PreviewRunSerializer, PreviewSerializer
from techtrack.alerts.api.rules import RuleSerializer
from techtrack.alerts.domain.trial import Incident
from techtrack.alerts.models import PreviewRun, Rule
from techtrack.alerts.queries.lab import AXES, MOST_VALUES
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.core.api import idempotency
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown_parameters
from techtrack.core.api.viewsets import merge_patch
from techtrack.core.clock import to_micros
from techtrack.core.errors import Fault, Forbidden, Invalid, NotFound, Unavailable

TAGS = ["rules"]
# So many previews a process makes at once; each may read millions of values.
_SLOTS = threading.BoundedSemaphore(2)


class PreviewView(APIView):
    """The rule lab."""

    # So a key that may only read reaches it; what is made in the background is kept, and so it is writing.
    changes_nothing = True

    @extend_schema(
        operation_id="rules_preview",
        request=PreviewQuestionSerializer,
        responses={200: PreviewSerializer, 202: PreviewRunSerializer},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response | HttpResponse:
        """Try a rule, saved or not, with what is stored: nobody is told of anything, and nothing is changed."""
        refuse_unknown_parameters(request, set())
        serializer = PreviewQuestionSerializer(data=request.data)
        refuse_unknown_fields(request.data, serializer)
        serializer.is_valid(raise_exception=True)
        told = serializer.validated_data
        _require_role(request)
        asked = _asked(request, told)
        if told["background"]:
            if not _access(request).may_use("resources", writing=True):
                raise Forbidden("this key may only read: what is made in the background is kept")
            return idempotency.once(request, lambda: _in_background(request, asked))
        with _below("rule"):
            queries.weigh(asked)
            with _slot():
                found = queries.preview(asked)
        return Response(queries.report(found))


class PreviewRunView(APIView):
    """A preview that is made in the background; its asker's."""

    @extend_schema(operation_id="rules_previews_retrieve", responses=PreviewRunSerializer, tags=TAGS)
    def get(self, request: Request, pk: int) -> Response:
        """Tell how far it is, and the result once it is done."""
        refuse_unknown_parameters(request, set())
        return Response(PreviewRunSerializer(_run(request, pk)).data)

    @extend_schema(operation_id="rules_previews_destroy", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, pk: int) -> Response:
        """Cancel it, or forget one that is over."""
        refuse_unknown_parameters(request, set())
        services.cancel_preview(run=_run(request, pk), now=clock.now())
        return Response(status=204)


def _require_role(request: Request) -> None:
    access: Access = request.auth  # type: ignore[assignment]
    if not access.everywhere and not access.at:
        raise Forbidden("a role is needed, at any site")


@contextmanager
def _slot() -> Iterator[None]:
    """Let few previews be made at once: each may read millions of values."""
    if not _SLOTS.acquire(blocking=False):
        raise Unavailable("other previews are being made: try again, or ask for it in the background", retry_after=2)
    try:
        yield
    finally:
        _SLOTS.release()


def _in_background(request: Request, asked: queries.Asked) -> Response:
    with _below("rule"):
        queries.weigh(asked, most=MOST_VALUES)
    total = len(asked.assets) * (1 + len(asked.cells))
    run = services.ask_for_preview(asked=asked, total=total, by=_access(request), now=clock.now())
    response = Response(PreviewRunSerializer(run).data, status=202)
    response["Location"] = request.build_absolute_uri(f"/api/rules/previews/{run.pk}/")
    return response


def _run(request: Request, pk: int) -> PreviewRun:
    access = _access(request)
    run = PreviewRun.objects.visible_to(access).filter(pk=pk).first() if pk <= BIGGEST_ID else None
    if run is None:
        raise NotFound("there is no such preview")
    assets = Asset.objects.filter(pk__in=run.question["assets"])
    # A key may see less than its maker, and rights may have gone.
    if assets.count() != Asset.objects.visible_to(access).filter(pk__in=run.question["assets"]).count():
        raise NotFound("there is no such preview")
    return run


def _asked(request: Request, told: Mapping[str, Any]) -> queries.Asked:
    rule = _rule(request, told)
    until = min(told["to"], clock.now())
    if until <= told["from"]:
        raise Invalid("this lies in the future", pointer="/from")
    incidents = [
        Incident(to_micros(one["from"]), to_micros(one["to"]), one.get("asset"), one.get("name", ""))
        for one in told.get("incidents", [])
    ]
    sweep = {axis: told["sweep"][axis] for axis in AXES if axis in told.get("sweep", {})}
    span = (to_micros(told["from"]), to_micros(until))
    return queries.Asked(rule, _assets(_access(request), told, rule), span, incidents, sweep, advise=told["advice"])


def _rule(request: Request, told: Mapping[str, Any]) -> Rule:
    """Build the rule that is asked about; it is not saved."""
    context = {"request": request}
    if "rule" in told:
        if "changes" in told:
            raise Invalid("changes are of a `rule_id`", pointer="/changes")
        with _below("rule"):
            return Rule(**_validated(RuleSerializer(data={"name": "Preview", **told["rule"]}, context=context)))
    held = Rule.objects.visible_to(_access(request)).filter(pk=told["rule_id"]).first()
    if held is None:
        raise Invalid(f"there is no rule {told['rule_id']}", pointer="/rule_id")
    rule, changes = copy(held), told.get("changes", {})
    with _below("changes"):
        current = RuleSerializer(held, context=context).data
        body = {name: merge_patch(current.get(name), value) for name, value in changes.items()}
        for name, value in _validated(RuleSerializer(held, data=body, partial=True, context=context)).items():
            setattr(rule, name, value)
    return rule


def _validated(serializer: RuleSerializer) -> Mapping[str, Any]:
    refuse_unknown_fields(serializer.initial_data, serializer)
    serializer.is_valid(raise_exception=True)
    found: Mapping[str, Any] = serializer.validated_data
    return found


def _assets(access: Access, told: Mapping[str, Any], rule: Rule) -> list[int]:
    if "assets" not in told:
        return queries.in_scope(rule, access)
    named = list(dict.fromkeys(told["assets"]))
    known = set(Asset.objects.visible_to(access).filter(pk__in=named).values_list("pk", flat=True))
    for asset in named:
        if asset not in known:
            raise Invalid(f"there is no asset {asset}", pointer=f"/assets/{told['assets'].index(asset)}")
    return named


@contextmanager
def _below(name: str) -> Iterator[None]:
    """Let faults of a rule inside the body point into it."""
    try:
        yield
    except drf.ValidationError as error:
        raise drf.ValidationError({name: error.detail}) from error
    except queries.TooMuch:
        raise
    except Invalid as error:
        faults = [Fault(f"/{name}{fault.pointer}", fault.code, fault.detail) for fault in error.faults]
        raise Invalid(error.detail, faults=faults) from error


def _access(request: Request) -> Access:
    access: Any = request.auth
    found: Access = access
    return found
