"""Tests of rules as seen at a terminal, and as JUnit's XML for CI: what was expected, and what came. No database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.markup import escape

from techtrack.alerts.console.places import FAILED, MISTAKE, OK, place_of, sentences, text_of
from techtrack.alerts.domain import cases, files
from techtrack.alerts.domain.cases import Outcome, Shown
from techtrack.core.errors import Invalid


@dataclass(slots=True)
class Tested:
    """What came of the tests of a file; ``mistakes`` are sentences, and then there are no outcomes."""

    path: str
    texts: dict[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[Outcome]:
        """The tests that did not pass."""
        return [outcome for outcome in self.outcomes if not outcome.passed]


def run_tests(paths: Sequence[Path], *, junit: Path | None) -> int:
    """Run the tests of files, tell what failed; return the exit code (1: a test failed, 2: a mistake in a file)."""
    console = Console(highlight=False)
    tested = [_tested(path) for path in paths]
    for one in tested:
        for line in _told(one):
            console.print(line, soft_wrap=True)
    if junit:
        try:
            junit.write_bytes(_xml(tested))
        except OSError as error:
            console.print(f"[red]{escape(sentences(error, {})[0])}[/]")
            return MISTAKE
    if any(one.mistakes for one in tested):
        return MISTAKE
    return FAILED if any(one.failed for one in tested) else OK


def _tested(path: Path) -> Tested:
    tested = Tested(str(path))
    try:
        text = tested.texts[str(path)] = text_of(path)
        with files.at(f"{path}#"):
            elsewhere = cases.rules_path(text)
        source = str(path.parent / elsewhere) if elsewhere else str(path)
        if elsewhere:
            tested.texts[source] = text_of(Path(source))
        rules = files.read(tested.texts[source], source=source).rules
        found = cases.read_cases(text, rules, source=str(path))
        tested.outcomes = [cases.run(one) for one in found]
    except (Invalid, OSError) as error:
        tested.mistakes = sentences(error, tested.texts)
    return tested


def _told(tested: Tested) -> Iterator[str]:
    yield from (f"[red]{escape(mistake)}[/]" for mistake in tested.mistakes)
    for outcome in tested.failed:
        yield f"[red]{escape(_headline(tested, outcome))}[/]"
        yield from (f"    {escape(line)}" for line in _compared(outcome))
    if tested.outcomes:
        passed, failed = len(tested.outcomes) - len(tested.failed), len(tested.failed)
        colour = "red" if failed else "green"
        yield f"[{colour}]{escape(tested.path)}: {passed} passed{f', {failed} failed' if failed else ''}[/]"


def _headline(tested: Tested, outcome: Outcome) -> str:
    path, line, _ = place_of(outcome.case.place, tested.texts)
    return f"{path}:{line}: {outcome.case.name}: {outcome.case.rule.name.name!r} does something else"


def _compared(outcome: Outcome) -> list[str]:
    return [*_alerts("expected", outcome.case.expected), *_alerts("got", outcome.got)]


def _alerts(title: str, alerts: Sequence[Shown]) -> list[str]:
    lines = [str(one) for one in alerts] or ["none"]
    return [f"{title if not place else '':<10}{line}" for place, line in enumerate(lines)]


def _xml(tested: Sequence[Tested]) -> bytes:
    """Return the outcomes as JUnit's XML, a suite for each file."""
    root = ET.Element("testsuites", name="techtrack rules")
    for one in tested:
        counts = {"tests": len(one.outcomes) or 1, "failures": len(one.failed), "errors": int(bool(one.mistakes))}
        suite = ET.SubElement(
            root, "testsuite", {"name": one.path} | {name: str(count) for name, count in counts.items()}
        )
        for outcome in one.outcomes:
            _, line, _ = place_of(outcome.case.place, one.texts)
            about = {"classname": outcome.case.rule.name.name, "name": outcome.case.name}
            case = ET.SubElement(suite, "testcase", about | {"file": one.path, "line": str(line)})
            if not outcome.passed:
                failure = ET.SubElement(case, "failure", message="other alerts than expected")
                failure.text = "\n".join(_compared(outcome))
        if one.mistakes:
            case = ET.SubElement(suite, "testcase", classname=one.path, name="the file can be read", file=one.path)
            ET.SubElement(case, "error", message=one.mistakes[0]).text = "\n".join(one.mistakes)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
