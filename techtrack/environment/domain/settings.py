"""What is declared of a sensor's air: the state that its masses of gas are meant at, and how its dust is corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from techtrack.airquality.correction import Correction, corrections
from techtrack.airquality.units import Reference
from techtrack.core.errors import Invalid, member


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of a sensor beside its readings; of most nothing is declared."""

    reference: Reference | None = None
    corrections: Mapping[str, str] = field(default_factory=dict)


def check_corrections(chosen: Mapping[str, Any], *, pointer: str = "/corrections") -> None:
    """Pass a choice of a correction for each of some parameters.

    Raises:
        UnknownKind: there is no such correction.
        Invalid: one does not correct the parameter.
    """
    for code, name in chosen.items():
        place = member(pointer, code)
        if not isinstance(name, str):
            raise Invalid("the name of a correction is expected", pointer=place)
        found: Correction = corrections.get(name, pointer=place)
        if code not in found.parameters:
            raise Invalid(f"{name} corrects {', '.join(found.parameters)}, not {code[:64]}", pointer=place)
