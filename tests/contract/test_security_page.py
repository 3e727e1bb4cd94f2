"""The page on security names a test, a page or a reason for each requirement of ASVS 5.0; and all of it exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.house import ROOT, parsed

PAGE = ROOT / "docs" / "explanation" / "security.md"
ROW = re.compile(r"^\| (V\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
REASON = re.compile(r"(Not applicable|Not yet|Yours): \w.{15,}")
# How many requirements of the levels 1 and 2 each section of ASVS 5.0.0 has, chapter by chapter; they come first in it.
# Chapters 10 (OAuth) and 17 (WebRTC) do not apply.
SECTIONS = {
    "1": [2, 9, 11, 3, 2],
    "2": [3, 3, 4, 1],
    "3": [0, 2, 4, 6, 5, 0, 2],
    "4": [3, 1, 2, 4],
    "5": [1, 3, 2, 3],
    "6": [3, 12, 4, 4, 5, 3, 0, 4],
    "7": [3, 4, 2, 5, 2, 2],
    "8": [2, 3, 1, 1],
    "9": [3, 4],
    "11": [2, 3, 3, 4, 1, 1],
    "12": [3, 2, 4],
    "13": [1, 5, 2, 5],
    "14": [2, 4, 3],
    "15": [3, 3, 7],
    "16": [1, 5, 4, 3, 3],
}
# Of level 3, what a plant should not go without.
THIRD = "V1.2.10 V1.3.12 V1.5.3 V4.1.4 V6.3.8 V8.3.2 V15.4.1 V15.4.2 V15.4.3 V16.5.4"
WANTED = set(THIRD.split()) | {
    f"V{chapter}.{section}.{number}"
    for chapter, counts in SECTIONS.items()
    for section, count in enumerate(counts, 1)
    for number in range(1, count + 1)
}


def problems(text: str, root: Path = ROOT / "tests") -> list[str]:
    """What is wrong with the table of a page."""
    rows = ROW.findall(text)
    names = [name for name, _, _ in rows]
    found = [f"{name} is missing" for name in sorted(WANTED - set(names))]
    found += [f"{name} stands there twice" for name in sorted(set(names)) if names.count(name) > 1]
    for name, _, shown in rows:
        if not REASON.fullmatch(shown.strip()):
            tests = [test.strip() for test in shown.split(";")]
            found += [f"{name}: there is no {test}" for test in tests if not exists(test, root)]
    return found


def exists(test: str, root: Path) -> bool:
    """Tell whether ``file.py::Name`` is a test, ``file.py`` a file of tests, or ``docs/…`` a page."""
    if test == "SECURITY.md" or test.startswith("docs/"):
        return (ROOT / test).is_file()
    file, _, name = test.partition("::")
    path = root / file
    if not path.is_file() or not path.name.startswith("test_"):
        return False
    tops = parsed(path.read_text("utf-8")).body
    found = {top.name for top in tops if isinstance(top, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))}
    return any(one.lower().startswith("test") for one in found) if not name else name in found


def test_every_requirement_is_met_by_a_test_or_has_a_reason():
    assert problems(PAGE.read_text("utf-8")) == []
    assert len(WANTED) == 217 + 10


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ("| V1.2.4 | a | unit/test_none.py::TestNothing |", "V1.2.4: there is no"),
        ("| V1.2.4 | a | unit/test_addresses.py::TestNothing |", "V1.2.4: there is no"),
        ("| V1.2.4 | a | Not applicable: no |", "V1.2.4: there is no"),
        ("| V1.2.4 | a | docs/explanation/nothing.md |", "V1.2.4: there is no"),
        ("| V1.2.4 | a | unit/test_addresses.py |\n" * 2, "V1.2.4 stands there twice"),
        ("", "V1.2.4 is missing"),
    ],
)
def test_a_planted_empty_promise_is_caught(planted, told):
    assert any(told in problem for problem in problems(planted))
