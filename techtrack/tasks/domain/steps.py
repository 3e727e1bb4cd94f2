"""The steps of a checklist: what each asks for, what an answer to it says, and what is still to be done."""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

from techtrack.core import params
from techtrack.core.errors import Fault, Invalid, member

MOST_STEPS = 200
MOST_OPTIONS = 50
LONGEST_TITLE = 300
LONGEST_HINT = 2_000
LONGEST_OPTION = 100
LONGEST_UNIT = 32
LONGEST_TEXT = 5_000
# The JSON of a checklist, in bytes: each bound is generous for itself, and all together they are megabytes.
LARGEST = 100 * 1024
KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_COUNTED = re.compile(r"step_\d+", re.ASCII)


class StepsOpen(Invalid):
    """The task cannot be done yet: steps that it requires have no answer."""

    code = "steps_open"


class RunsBackwards(Invalid):
    """A meter shows less than it did before, and nobody said that it was replaced or set back."""

    code = "runs_backwards"


class Verdict(StrEnum):
    """What an answer says of the asset."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a technician recorded. ``restarted``: the meter begins anew, so it may show less than before."""

    value: bool | float | str
    restarted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(ABC):
    """What all steps have; ``key`` names the step for its answers, whatever becomes of its place and title."""

    kind: ClassVar[str]
    expected: ClassVar[str]

    title: str
    key: str = ""
    hint: str = ""
    required: bool = True

    def check(self, pointer: str) -> None:
        """Pass where the definition makes sense; raises Invalid with a pointer below ``pointer``."""
        if self.key and not KEY.fullmatch(self.key):
            raise Invalid(
                "a key is a small letter, then small letters, digits and underscores", pointer=f"{pointer}/key"
            )
        _bound(self.title.strip(), 1, LONGEST_TITLE, f"{pointer}/title")
        _bound(self.hint, 0, LONGEST_HINT, f"{pointer}/hint")

    @abstractmethod
    def takes(self, value: Any) -> bool:
        """Tell whether ``value`` is an answer of its kind, good or bad."""

    def verdict(self, value: Any) -> Verdict:
        """Judge a value that it takes."""
        return Verdict.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Step):
    """Something to do; it is done or not yet."""

    kind = "tick"
    expected = "true or false"

    def takes(self, value: Any) -> bool:
        return isinstance(value, bool)

    def verdict(self, value: Any) -> Verdict:
        return Verdict.PASSED if value else Verdict.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Step):
    """Something to measure in ``unit``, which should lie from ``low`` to ``high``."""

    kind = "number"
    expected = "a finite number"

    unit: str = ""
    low: float | None = None
    high: float | None = None

    def check(self, pointer: str) -> None:
        # By its name: a dataclass with slots is another class than the one that super() would look at.
        Step.check(self, pointer)
        _bound(self.unit, 0, LONGEST_UNIT, f"{pointer}/unit")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise Invalid("the high limit lies below the low one: every number would fail", pointer=f"{pointer}/high")

    def takes(self, value: Any) -> bool:
        return _is_number(value)

    def verdict(self, value: Any) -> Verdict:
        # It is what was measured: a technician must be able to record it, and the others to see that it is bad.
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return Verdict.PASSED if low <= value <= high else Verdict.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Step):
    """Something to describe."""

    kind = "text"
    expected = f"a text of 1 to {LONGEST_TEXT} characters"

    def takes(self, value: Any) -> bool:
        return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Step):
    """Something to choose of ``options``; those in ``failing`` say that something is wrong."""

    kind = "choice"
    expected = "one of the options"

    options: tuple[str, ...]
    failing: tuple[str, ...] = ()

    def check(self, pointer: str) -> None:
        Step.check(self, pointer)
        if not 2 <= len(self.options) <= MOST_OPTIONS:  # noqa: PLR2004 - one option is no choice
            raise Invalid(f"2 to {MOST_OPTIONS} options are expected", pointer=f"{pointer}/options")
        for place, option in enumerate(self.options):
            _bound(option.strip(), 1, LONGEST_OPTION, f"{pointer}/options/{place}")
            if option in self.options[:place]:
                raise Invalid("this option is there twice", pointer=f"{pointer}/options/{place}")
        for place, option in enumerate(self.failing):
            if option not in self.options:
                raise Invalid("this is none of the options", pointer=f"{pointer}/failing/{place}")

    def takes(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.options

    def verdict(self, value: Any) -> Verdict:
        return Verdict.FAILED if value in self.failing else Verdict.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter(Step):
    """A counter to read off, in ``unit``, which only ever counts up."""

    kind = "meter"
    expected = "a finite number, not negative"

    unit: str = ""

    def check(self, pointer: str) -> None:
        Step.check(self, pointer)
        _bound(self.unit, 0, LONGEST_UNIT, f"{pointer}/unit")

    def takes(self, value: Any) -> bool:
        return _is_number(value) and value >= 0


KINDS: Mapping[str, type[Step]] = {one.kind: one for one in (Tick, Number, Text, Choice, Meter)}


# -- Definitions --------------------------------------------------------------------------------------------------


def parse_steps(raw: Any, *, taken: Collection[str] = (), pointer: str = "/checklist") -> tuple[Step, ...]:
    """Build steps from decoded JSON, such as ``[{"type": "number", "title": "Belt tension", "low": 40, "unit": "N"}]``.

    A step without a key gets one that is not ``taken``: by the task as it is, whose answers and editors know its keys.

    Raises:
        Invalid: with a pointer to the member of the step.
    """
    if not isinstance(raw, list) or len(raw) > MOST_STEPS:
        raise Invalid(f"a list of at most {MOST_STEPS} steps is expected", pointer=pointer)
    steps = [_step(one, member(pointer, place)) for place, one in enumerate(raw)]
    given = [step.key for step in steps]
    for place, key in enumerate(given):
        if key and key in given[:place]:
            raise Invalid(f"the key {key!r} is there twice", pointer=f"{pointer}/{place}/key")
    return tuple(_named(steps, {*given, *taken}))


def written_steps(raw: Any, *, taken: Collection[str] = (), pointer: str = "/checklist") -> list[dict[str, Any]]:
    """Return a checklist as it is kept; ``raw`` and the rest as ``parse_steps`` takes them.

    Raises:
        Invalid: also where it is too large.
    """
    steps = dump_steps(parse_steps(raw, taken=taken, pointer=pointer))
    if len(json.dumps(steps, ensure_ascii=False, separators=(",", ":")).encode()) > LARGEST:
        raise Invalid(f"this is more than {LARGEST // 1024} KiB: part it into several tasks", pointer=pointer)
    return steps


def is_counted(key: str) -> bool:
    """Tell whether a step has the name of a number, as those that nobody named: elsewhere ``step_2`` is another one."""
    return _COUNTED.fullmatch(key) is not None


def dump_steps(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return the JSON form of steps: the inverse of ``parse_steps``."""
    return [{"type": step.kind} | params.dump(step) for step in steps]


def _step(raw: Any, pointer: str) -> Step:
    if not isinstance(raw, Mapping):
        raise Invalid("a step is an object", pointer=pointer)
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Invalid(f"choose one of {', '.join(KINDS)}", pointer=f"{pointer}/type")
    step = params.build(KINDS[kind], {name: value for name, value in raw.items() if name != "type"}, pointer=pointer)
    step.check(pointer)
    return step


def _named(steps: Sequence[Step], taken: set[str]) -> Iterable[Step]:
    number = 0
    for step in steps:
        key = step.key
        while not key:
            number += 1
            key = f"step_{number}" if f"step_{number}" not in taken else ""
        yield replace(step, key=key)


def _bound(text: str, least: int, most: int, pointer: str) -> None:
    if not least <= len(text) <= most:
        raise Invalid(f"{least} to {most} characters are expected", pointer=pointer)


def _is_number(value: Any) -> bool:
    # Compared before anything makes a float of it: an integer may be larger than any.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 <= value <= 1e300  # noqa: PLR2004


# -- Answers --------------------------------------------------------------------------------------------------------


def parse_answers(
    steps: Sequence[Step], raw: Any, *, before: Mapping[str, float], pointer: str = "/answers"
) -> dict[str, Answer | None]:
    """Build answers by the keys of their steps from ``{"belt_tension": {"value": 51.5}}``; null takes one back.

    ``before`` is what meters showed when they were last read, by key, on this asset. What lies outside a step's limits
    is an answer like any other; ``judge`` says that it fails.

    Raises:
        RunsBackwards: a meter shows less than before, without ``"restarted": true``.
        Invalid: with a pointer to each value that is no answer to its step.
    """
    if not isinstance(raw, Mapping):
        raise Invalid("an object with a member for each answer is expected", pointer=pointer)
    known = {step.key: step for step in steps}
    answers: dict[str, Answer | None] = {}
    errors: list[Invalid] = []
    for key, one in raw.items():
        place = member(pointer, key)
        try:
            answers[key] = None if one is None else _answer(_known(known, key, place), one, before.get(key), place)
        except Invalid as error:
            errors.append(error)
    if errors:
        # A technician who filled in a page is told of every slip at once.
        raise type(errors[0])(errors[0].detail, faults=[fault for error in errors for fault in error.faults])
    return answers


def _known(steps: Mapping[str, Step], key: str, pointer: str) -> Step:
    if key not in steps:
        raise Invalid("the checklist has no step of this key", pointer=pointer)
    return steps[key]


def _answer(step: Step, raw: Any, before: float | None, pointer: str) -> Answer:
    extra = {"restarted"} if isinstance(step, Meter) else set[str]()
    if not isinstance(raw, Mapping) or not {"value"} <= raw.keys() <= {"value"} | extra:
        raise Invalid(f"an object with {' and '.join(['value', *extra])} is expected", pointer=pointer)
    restarted = raw.get("restarted", False)
    if not isinstance(restarted, bool):
        raise Invalid("true or false is expected", pointer=f"{pointer}/restarted")
    value = raw["value"]
    if not step.takes(value):
        raise Invalid(f"{step.expected} is expected", pointer=f"{pointer}/value")
    if isinstance(step, Meter) and before is not None and value < before and not restarted:
        raise RunsBackwards(
            f"the meter showed {before:g} before; say so if it was restarted", pointer=f"{pointer}/value"
        )
    return Answer(value if isinstance(value, (bool, str)) else float(value), restarted)


def judge(step: Step, answer: Answer | None) -> Verdict:
    """Say what an answer means; one that the step does not take, since it was changed afterwards, is none."""
    if answer is None or not step.takes(answer.value):
        return Verdict.OPEN
    return step.verdict(answer.value)


# -- Progress -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a checklist is: steps in all, those with an answer, and those among them whose answer is bad."""

    total: int
    answered: int
    failed: int


def progress(steps: Sequence[Step], answers: Mapping[str, Answer]) -> Progress:
    """Count how far a checklist is."""
    verdicts = [judge(step, answers.get(step.key)) for step in steps]
    return Progress(len(steps), len(steps) - verdicts.count(Verdict.OPEN), verdicts.count(Verdict.FAILED))


def refuse_open(steps: Sequence[Step], answers: Mapping[str, Answer], *, pointer: str = "/checklist") -> None:
    """Pass where all required steps have an answer, be it a bad one: work that found a fault was done.

    Raises:
        StepsOpen: with one fault for each step that has none.
    """
    faults = [
        Fault(member(pointer, place), StepsOpen.code, f"{step.title!r} is still to be answered")
        for place, step in enumerate(steps)
        if step.required and judge(step, answers.get(step.key)) is Verdict.OPEN
    ]
    if faults:
        raise StepsOpen(f"{len(faults)} required steps are open: answer them first", faults=faults)
