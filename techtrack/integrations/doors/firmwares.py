"""The firmwares that push here: at which address each speaks, how it is understood, and how it wants to be answered."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig

from techtrack.accounts.domain.lockout import network_of
from techtrack.core.api import problems
from techtrack.core.api.limits import WINDOW, Budgets
from techtrack.core.api.native import Answer
from techtrack.core.api.parsers import UnreadableBody, parse_json
from techtrack.core.clock import from_micros, isoformat
from techtrack.core.errors import Fault, Forbidden, Invalid, NotFound, TooMany
from techtrack.integrations import services
from techtrack.integrations.codecs import airgradient, sensor_community
from techtrack.integrations.domain.pushing import LONGEST_BODY, Pushed
from techtrack.integrations.models import Door
from techtrack.integrations.services import Bound, Caller, Prepared, Refused, UnknownPart, UnknownUnit

# The unit's own fault, which somebody has to mend; all else it may send again.
MENDABLE = (Invalid, Forbidden, NotFound, RequestDataTooBig)
COMMUNITY_FIELDS = frozenset({sensor_community.VALUES, "timestamp"})
# What each unit may push, and what is recorded of each address: counted in this process.
budgets = Budgets()


@dataclass(frozen=True, slots=True)
class Firmware:
    """How one firmware is understood (``decode``, ``unit_of``) and answered: statuses, and bodies as it knows them."""

    door: Door
    decode: Callable[[Any], Pushed]
    unit_of: Callable[[Any], str]
    stored: int
    repeated: int
    taken: Callable[[Prepared], Mapping[str, Any]]
    refused: Callable[[int, str, Sequence[Fault]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Post:
    """What a firmware sent: the unit that its address names, headers in small letters, and the body."""

    firmware: Firmware
    path: str
    headers: Mapping[str, str]
    address: str
    body: bytes = b""
    unit_id: str = ""

    @property
    def size(self) -> int:
        """How long the body is, or is said to be where it was not read."""
        said = self.headers.get("content-length", "")
        return len(self.body) or (int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0)  # noqa: PLR2004

    def caller(self, said: str = "") -> Caller:
        """Return how the unit says who it is; ``said`` is what its body says, where neither address nor headers do."""
        headers, door = self.headers, self.firmware.door
        # All three names are in use; older firmwares have the shorter ones.
        named = self.unit_id or next((headers[name] for name in ("x-sensor", "sensor", "node") if name in headers), "")
        authorization = headers.get("authorization", "")
        scheme, _, credential = authorization.partition(" ")
        basic = scheme.lower() == "basic"
        return Caller(
            door=door,
            unit_id=services.normal_id(door, named or said),
            pin=headers.get("x-pin", headers.get("pin", "")).strip(),
            authorization="" if basic else authorization,
            api_key=headers.get("x-api-key"),
            password=_password(credential) if basic else "",
            address=self.address,
        )


def received(post: Post, *, now: datetime) -> Prepared:
    """Understand a post and check it; it stores nothing.

    Raises:
        TooMany: the unit pushes too often, or its address has tried out too many.
        TechTrackError: the body is broken, or the unit unknown.
    """
    _spend(post)
    if len(post.body) > LONGEST_BODY:
        raise RequestDataTooBig
    data, unreadable = _parsed(post.body)
    # A stranger hears that it is one, whatever it sends.
    bound = _bound(post, post.firmware.unit_of(data), now)
    if unreadable is not None:
        raise unreadable
    return services.prepare(bound=bound, pushed=post.firmware.decode(data), now=now)


def asked_settings(post: Post, *, now: datetime) -> Bound:
    """Return what a unit that asks for its settings is bound to; raises as ``received`` does."""
    _spend(post, what=":settings")
    return _bound(post, "", now)


def accepted(firmware: Firmware, prepared: Prepared) -> Answer:
    """Say that what was pushed is stored, or was before."""
    status = firmware.repeated if prepared.repeated else firmware.stored
    return Answer(status, _json(firmware.taken(prepared)))


def refusal(post: Post, error: Exception, *, now: datetime) -> Answer:
    """Say in the firmware's own form what is wrong; what somebody has to mend is counted and recorded."""
    status, headers, body = problems.answer(error, instance=post.path)
    if isinstance(error, MENDABLE):
        services.REJECTED.labels(post.firmware.door, body["code"]).inc()
        if _may_record(post):
            _record(post, body["code"], body["detail"], now)
    told = post.firmware.refused(status, body["detail"], [Fault(**fault) for fault in body["errors"]])
    more = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Answer(status, _json(told), more)


def _record(post: Post, code: str, detail: str, now: datetime) -> None:
    data, _ = _parsed(post.body) if len(post.body) <= LONGEST_BODY else (None, None)
    caller = post.caller(post.firmware.unit_of(data))
    sensor_id: int | None
    try:
        sensor_id = services.bind(caller=caller, now=now).sensor_id
    except MENDABLE:
        # Who sees the sensor can mend the key, the pin or the addresses, and is told that they are wrong.
        sensor_id = services.addressee(caller=caller)
    told = Refused(code, detail, post.body, post.size, sensor_id)
    services.reject(caller=caller, refused=told, now=now)


def _parsed(body: bytes) -> tuple[Any, UnreadableBody | None]:
    try:
        return parse_json(body, finite=False), None
    except UnreadableBody as error:
        return None, error


def _bound(post: Post, said: str, now: datetime) -> Bound:
    """Return whose readings a unit brings; who tries out ids is soon told nothing more, not even of one that exists."""
    quota, name, moment = settings.LIMITS["push"], f"unknown:{network_of(post.address)}", time.monotonic()
    if quota and not budgets.left(name, quota, moment)[0]:
        raise _too_many(quota, WINDOW / quota)
    try:
        return services.bind(caller=post.caller(said), now=now)
    except (UnknownUnit, UnknownPart):
        if quota:
            budgets.take(name, quota, moment)
        raise


def _spend(post: Post, *, what: str = "") -> None:
    quota, caller = settings.LIMITS["push"], post.caller()
    name = f"{caller.door}{what}:{caller.unit_id[:100]}:{caller.address}"
    if quota and (wait := budgets.take(name, quota, time.monotonic())):
        raise _too_many(quota, wait)


def _too_many(quota: int, wait: float) -> TooMany:
    after = max(1, round(wait + 0.5))
    return TooMany(f"{quota} a minute at most", retry_after=after, policy=("push", quota, WINDOW))


def _may_record(post: Post) -> bool:
    quota = settings.LIMITS["push"]
    return not quota or not budgets.take(f"refused:{network_of(post.address)}", quota, time.monotonic())


def _password(credential: str) -> str:
    """Return the password of Basic authentication, or its user where it has none; empty where nothing is shown."""
    try:
        text = base64.b64decode(credential.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    user, _, password = text.partition(":")
    return password or user


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _taken_by_community(prepared: Prepared) -> Mapping[str, Any]:
    values = [{"value_type": code, "value": repr(value)} for code, value in prepared.values.items()]
    timestamp = isoformat(from_micros(prepared.time))
    return {"sensor": prepared.sensor_id, "timestamp": timestamp, "sensordatavalues": values}


def _refused_by_community(_status: int, detail: str, faults: Sequence[Fault]) -> Mapping[str, Any]:
    field = faults[0].pointer.partition("/")[2].partition("/")[0] if faults else ""
    # Its reference server names the field of the body that is wrong, or else says what is.
    return {field: [fault.detail for fault in faults]} if field in COMMUNITY_FIELDS else {"detail": detail}


def _taken_by_airgradient(prepared: Prepared) -> Mapping[str, Any]:
    return {"sensor": prepared.sensor_id, "timestamp": isoformat(from_micros(prepared.time))}


def _refused_by_airgradient(status: int, detail: str, faults: Sequence[Fault]) -> Mapping[str, Any]:
    title = problems.TITLES.get(status, "")
    return {"statusCode": status, "message": faults[0].detail if faults else detail, "error": title}


# Its firmware counts 200 to 208 as success, and does not send again.
SENSOR_COMMUNITY = Firmware(
    Door.SENSOR_COMMUNITY,
    sensor_community.decode,
    sensor_community.unit_of,
    stored=201,
    repeated=208,
    taken=_taken_by_community,
    refused=_refused_by_community,
)
# Its firmware counts 200 and 429 as success, and nothing else: 201 is noted as a failure.
AIRGRADIENT = Firmware(
    Door.AIRGRADIENT,
    airgradient.decode,
    airgradient.unit_of,
    stored=200,
    repeated=200,
    taken=_taken_by_airgradient,
    refused=_refused_by_airgradient,
)
