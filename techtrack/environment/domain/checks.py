"""Which quality tests a parameter of the air goes through: usual limits by parameter, and what a sensor has instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from techtrack.airquality.quality import Checks, Flag
from techtrack.airquality.units import SPELLINGS, Amount, Reference, factor
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid, member
from techtrack.core.params import build

MOST_SENTINELS: Final = 20
# A limit of plausibility is no measurement: gases in ppb have it where this air would.
_PLAUSIBLE: Final = Reference(20.0, 1013.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The tests of one parameter: of its series (``checks``), and of a value beside others.

    ``humidity`` is the relative humidity (%) above which dust is doubtful, None where that is not asked. ``channels``
    and ``neighbours`` tell whether its twin channels and the sensors around are compared. Values with a flag in
    ``keep`` are flagged and yet used.
    """

    checks: Checks = field(default_factory=Checks)
    humidity: float | None = None
    channels: bool = False
    neighbours: bool = False
    keep: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnChecks:
    """What a sensor has instead of the usual tests of a parameter; null leaves a test out.

    ``stuck`` is a duration, ``rate`` a change in an hour; see ``Checks`` and ``Plan``.
    """

    minimum: float | None = None
    maximum: float | None = None
    sentinels: list[float] = field(default_factory=list)
    stuck: timedelta | None = None
    resting: float | None = None
    spike: float | None = None
    rate: float | None = None
    humidity: float | None = None
    channels: bool = True
    neighbours: bool = True
    keep: list[Flag] = field(default_factory=list)


def _dust(maximum: float, spike: float) -> Plan:
    # A monitor of clean air says less than zero now and then, and that belongs to its mean.
    checks = Checks(minimum=-10, maximum=maximum, spike=spike, resting=5)
    return Plan(checks=checks, channels=True, neighbours=True)


def _gas(maximum: float, spike: float, resting: float, minimum: float = -10) -> Plan:
    return Plan(checks=Checks(minimum=minimum, maximum=maximum, spike=spike, resting=resting), neighbours=True)


# Ranges: what the monitors of networks can measure. Spikes and what may rest: chosen by four years of a station in
# Beijing, of which they flag what no neighbouring hour supports, and not its detection limit.
USUAL: Final[Mapping[str, tuple[str, Plan]]] = MappingProxyType(
    {
        "pm1": ("ug/m3", _dust(1000, 300)),
        "pm2_5": ("ug/m3", _dust(1000, 300)),
        # What corrections are computed of; channels and neighbours are compared by the parameter itself.
        "pm2_5_standard": ("ug/m3", replace(_dust(1000, 300), channels=False, neighbours=False)),
        "pm4": ("ug/m3", _dust(2000, 400)),
        "pm10": ("ug/m3", _dust(5000, 800)),
        "no": ("ug/m3", _gas(3000, 500, 3)),
        "no2": ("ug/m3", _gas(1000, 150, 3)),
        "o3": ("ug/m3", _gas(1000, 100, 5)),
        "so2": ("ug/m3", _gas(3000, 300, 5)),
        "nh3": ("ug/m3", _gas(5000, 500, 5)),
        "co": ("mg/m3", _gas(100, 5, 0.5, minimum=-0.5)),
        "co2": ("[ppm]", Plan(checks=Checks(minimum=200, maximum=40_000, spike=5000))),
        "temperature": ("Cel", Plan(checks=Checks(minimum=-60, maximum=70, spike=15))),
        "humidity": ("%", Plan(checks=Checks(minimum=-5, maximum=105))),
        "pressure": ("hPa", Plan(checks=Checks(minimum=500, maximum=1100, spike=20))),
    }
)
_FACTORS: Final = MappingProxyType({("hPa", "Pa"): 100.0})


def plan_of(code: str, *, unit: str, own: Mapping[str, Any] | None, corrected: bool) -> Plan | None:
    """Return the tests of a parameter in its ``unit``; None where it has none: most parameters are none of the air.

    Dust that is ``corrected`` comes from an optical sensor, which takes fog for dust: above 95 % it is doubtful.
    """
    usual = _usual(code, unit)
    if usual is None and not own:
        return None
    plan = usual or Plan()
    if corrected:
        plan = replace(plan, humidity=95.0)
    return _with_own(plan, own) if own else plan


def check_own(chosen: Mapping[str, Any], *, pointer: str = "/checks") -> None:
    """Pass what people want instead of the usual tests, by parameter.

    Raises:
        Invalid: something of it cannot be; the pointer names it.
    """
    for code, said in chosen.items():
        place = member(pointer, code)
        own = build(OwnChecks, said, pointer=place)
        if own.minimum is not None and own.maximum is not None and own.minimum >= own.maximum:
            raise Invalid("the minimum lies below the maximum", pointer=f"{place}/minimum")
        if Flag.NEIGHBOURS in own.keep:
            at = f"{place}/keep/{own.keep.index(Flag.NEIGHBOURS)}"
            raise Invalid("what neighbours doubt is used anyway; neighbours: false leaves the test out", pointer=at)
        if len(own.sentinels) > MOST_SENTINELS:
            raise Invalid(f"at most {MOST_SENTINELS} numbers", pointer=f"{place}/sentinels")
        for name in ("stuck", "spike", "rate"):
            value = getattr(own, name)
            if value is not None and value <= type(value)(0):
                raise Invalid("more than zero is expected", pointer=f"{place}/{name}")


def _usual(code: str, unit: str) -> Plan | None:
    """Return the usual tests, in ``unit``; of an unknown unit only those that know no unit."""
    if code not in USUAL:
        return None
    written, plan = USUAL[code]
    by = _factor(code, written, SPELLINGS.get(unit, unit))
    if by is None:
        return Plan(channels=plan.channels)
    scaled: dict[str, Any] = {
        name: None if (value := getattr(plan.checks, name)) is None else value * by
        for name in ("minimum", "maximum", "spike", "rate", "resting")
    }
    return replace(plan, checks=replace(plan.checks, **scaled))


def _factor(code: str, written: str, unit: str) -> float | None:
    if unit == written:
        return 1.0
    if (written, unit) in _FACTORS:
        return _FACTORS[written, unit]
    try:
        return factor(code, measured=Amount(written, _PLAUSIBLE), wanted=Amount(unit, _PLAUSIBLE))
    except Invalid:
        return None


def _with_own(plan: Plan, said: Mapping[str, Any]) -> Plan:
    own = build(OwnChecks, said)
    given = {one.name: getattr(own, one.name) for one in fields(OwnChecks) if one.name in said}
    if "stuck" in given:
        given["stuck"] = None if own.stuck is None else own.stuck // MICROSECOND
    if "sentinels" in given:
        given["sentinels"] = frozenset(own.sentinels)
    if "keep" in given:
        given["keep"] = frozenset(own.keep)
    of_series = {one.name for one in fields(Checks)}
    checks = replace(plan.checks, **{name: value for name, value in given.items() if name in of_series})
    return replace(plan, checks=checks, **{name: value for name, value in given.items() if name not in of_series})
