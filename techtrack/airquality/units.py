"""Amounts in air: mass per volume and mixing ratio, converted at a declared temperature and pressure, never a guess."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.core.errors import Invalid, member

# J/(mol K), CODATA 2018.
GAS_CONSTANT = 8.314462618
ZERO_CELSIUS = 273.15
# g/mol, from the atomic weights of IUPAC.
MOLAR_MASSES = {
    "no2": 46.0055,
    "o3": 47.9982,
    "so2": 64.064,
    "co": 28.0101,
    "no": 30.0061,
    "nh3": 17.0305,
    "co2": 44.0095,
}
# How many µg/m³, and how many ppb, one of them is.
MASS = {"ug/m3": 1.0, "mg/m3": 1000.0}
RATIO = {"[ppb]": 1.0, "[ppm]": 1000.0}
# As people and sensors write what UCUM writes otherwise; the micro sign and the Greek letter look the same.
SPELLINGS = {
    "µg/m³": "ug/m3",
    "\N{GREEK SMALL LETTER MU}g/m³": "ug/m3",
    "µg/m3": "ug/m3",
    "mg/m³": "mg/m3",
    "ppb": "[ppb]",
    "ppm": "[ppm]",
}


class Undeclared(Invalid):
    """What a conversion needs was not declared; the pointer names what is missing."""

    code = "undeclared"


@dataclass(frozen=True, slots=True)
class Reference:
    """The state of the air that a mass per volume is meant at: ``temperature`` in °C, ``pressure`` in hPa."""

    temperature: float | None = None
    pressure: float | None = None


def mass_of_ppb(parameter: str, *, at: Reference, pointer: str = "") -> float:
    """Return how many µg/m³ one ppb of a gas is: M · P / (R · T).

    Raises:
        Undeclared: ``at`` lacks its temperature or its pressure.
        Invalid: the parameter is no gas that is known here, or the air cannot be in that state.
    """
    if parameter not in MOLAR_MASSES:
        raise Invalid(f"{parameter} has no mixing ratio: it is given as a mass per volume", pointer=f"{pointer}/unit")
    temperature = _declared(at.temperature, "temperature", parameter, pointer) + ZERO_CELSIUS
    pressure = _declared(at.pressure, "pressure", parameter, pointer)
    if temperature <= 0 or pressure <= 0:
        raise Invalid("air has a temperature and a pressure above zero", pointer=f"{pointer}/reference")
    # hPa are 100 Pa, a ppb is 1e-9 and a gram a million µg: 100 · 1e-9 · 1e6.
    return MOLAR_MASSES[parameter] * pressure * 0.1 / (GAS_CONSTANT * temperature)


@dataclass(frozen=True, slots=True)
class Amount:
    """The unit (UCUM) of a parameter's values, and the state of the air that masses of a gas are meant at."""

    unit: str
    reference: Reference | None = None


def factor(parameter: str, *, measured: Amount, wanted: Amount) -> float:
    """Return what values of a parameter are multiplied with to be ``wanted``.

    A mass of gas needs the reference of its own side to become a mixing ratio, or to come from one. Between masses it
    needs its own where the ``wanted`` one has one; dust is never converted to another state of the air.

    Raises:
        Undeclared: a unit or a reference is missing that the conversion needs; faults point below ``/{parameter}``.
        Invalid: the units have nothing to do with one another.
    """
    pointer = member("", parameter)
    have, want = _spelt(parameter, measured.unit, pointer), _spelt(parameter, wanted.unit, pointer)
    if have in MASS and want in MASS:
        return MASS[have] / MASS[want] * _restated(parameter, measured.reference, wanted.reference)
    if have in RATIO and want in RATIO:
        return RATIO[have] / RATIO[want]
    if have in RATIO:
        mass = mass_of_ppb(parameter, at=wanted.reference or Reference(), pointer=pointer)
        return RATIO[have] * mass / MASS[want]
    return MASS[have] / mass_of_ppb(parameter, at=measured.reference or Reference(), pointer=pointer) / RATIO[want]


def _restated(parameter: str, measured: Reference | None, wanted: Reference | None) -> float:
    if parameter not in MOLAR_MASSES or wanted is None or measured == wanted:
        return 1.0
    pointer = member("", parameter)
    after = mass_of_ppb(parameter, at=wanted, pointer=pointer)
    return after / mass_of_ppb(parameter, at=measured or Reference(), pointer=pointer)


def _spelt(parameter: str, unit: str, pointer: str) -> str:
    found = SPELLINGS.get(unit, unit)
    if not found:
        raise Undeclared(f"the unit of {parameter} is not declared", pointer=f"{pointer}/unit")
    if found not in MASS and found not in RATIO:
        known = ", ".join([*MASS, *RATIO])
        raise Invalid(f"{unit!r} is no unit of {parameter} here: choose one of {known}", pointer=f"{pointer}/unit")
    return found


def _declared(value: float | None, name: str, parameter: str, pointer: str) -> float:
    if value is None:
        told = f"the reference {name} of {parameter} is not declared, and a mass of gas is compared by it"
        raise Undeclared(told, pointer=f"{pointer}/reference_{name}")
    return value
