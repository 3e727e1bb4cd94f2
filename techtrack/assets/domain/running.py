"""By what one sees that an asset runs: a parameter above a limit, which the asset may bring along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from techtrack.core import params
from techtrack.core.errors import Invalid, member

LONGEST_CODE = 64


class BadSign(Invalid):
    """Nothing can be seen by it."""

    code = "bad_running_sign"


@dataclass(frozen=True, slots=True)
class OwnLimit:
    """A limit that each asset brings along in its attributes; ``default`` for those that do not."""

    attribute: str
    default: float | None = None


@dataclass(frozen=True, slots=True)
class RunningSign:
    """An asset runs while ``parameter`` is above ``above``."""

    parameter: str
    above: float | OwnLimit = 0.0

    @classmethod
    def parse(cls, raw: Any, *, pointer: str) -> RunningSign:
        """Build one of its fields.

        Raises:
            Invalid: with a fault that names the place.
        """
        sign = params.build(cls, raw, pointer=pointer)
        if not 1 <= len(sign.parameter) <= LONGEST_CODE:
            raise BadSign("the code of a parameter is expected", pointer=member(pointer, "parameter"))
        return sign

    def limit(self, attributes: Mapping[str, Any]) -> float | None:
        """Return the limit for an asset with these attributes; None where it has none of its own and needs one."""
        if not isinstance(self.above, OwnLimit):
            return self.above
        own = attributes.get(self.above.attribute)
        usable = isinstance(own, (int, float)) and not isinstance(own, bool)
        return float(own) if usable else self.above.default  # type: ignore[arg-type]
