"""The checks of the house as functions from a file's text to findings, so that each can be shown a planted bug."""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "techtrack"
LONGEST_FUNCTION = 60
LONGEST_FILE = 400
MEDIAN_FUNCTION = 9


@dataclass(frozen=True)
class Source:
    """One file: its path below the repository and its text."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return parsed(self.text)

    @property
    def rooms(self) -> tuple[str, ...]:
        """The path below ``techtrack/``, without suffixes: ("alerts", "domain", "lifecycle")."""
        return Path(self.path).with_suffix("").parts[1:]


def parsed(text: str) -> ast.Module:
    """Parse without collecting garbage meanwhile.

    A finaliser lets other threads run, and one that prints a traceback parses as well: until Python 3.11.8 the two
    then share one counter of depth and the parser gives up (python/cpython#106905).
    """
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        gc.enable()


def sources() -> list[Source]:
    """Every Python file of the package that people write."""
    files = (file for file in sorted(PACKAGE.rglob("*.py")) if "migrations" not in file.parts)
    return [Source(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files]


def function_lengths(source: Source) -> dict[str, int]:
    """Lines of each function from ``def`` to its end, its docstring left out."""
    lengths = {}
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = node.body[0] if ast.get_docstring(node) is not None else None
            told = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
            lengths[f"{source.path}:{node.lineno} {node.name}"] = (node.end_lineno or 0) - node.lineno + 1 - told
    return lengths


def over_budget(source: Source) -> list[str]:
    """Functions and files that do not fit."""
    found = [f"{name}: {lines} lines" for name, lines in function_lengths(source).items() if lines > LONGEST_FUNCTION]
    lines = len(source.text.splitlines())
    return [*found, f"{source.path}: {lines} lines"] if lines > LONGEST_FILE else found


def median_length(files: list[Source]) -> float:
    """The median length of all functions."""
    return median(length for source in files for length in function_lengths(source).values())


# -- One writer -------------------------------------------------------------------------------------------
WRITING_ROOMS = {"services", "hiding", "judge", "recording", "models", "store", "migrations"}
QUERYSET_CALLS = {"filter", "exclude", "all", "visible_to", "get_queryset", "select_for_update", "order_by", "using"}
MANAGERS = {"objects", "_default_manager", "_base_manager"}
CREATES = {"create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "acreate", "abulk_create"}


def writes(source: Source) -> list[str]:
    """Writes to tables outside the rooms that may write."""
    if WRITING_ROOMS & set(source.rooms):
        return []
    calls = (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))
    return [f"{source.path}:{call.lineno} {ast.unparse(call.func)}" for call in calls if _is_write(call)]


def _is_write(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    name, receiver = call.func.attr, call.func.value
    keywords = {keyword.arg for keyword in call.keywords}
    if name in {"save", "asave"}:
        return True
    if name in CREATES or name in {"update", "aupdate", "delete", "adelete"}:
        # ``rows.update(field=1)`` is a queryset's; a dictionary's takes a positional.
        return _from_manager(receiver) or (name == "update" and bool(keywords) and not call.args)
    # ``Versioned.change`` and ``Versioned.remove``
    return name in {"change", "remove"} and "expected" in keywords and _lower(receiver)


def _from_manager(node: ast.AST) -> bool:
    inner = list(ast.walk(node))
    return any(
        isinstance(part, ast.Attribute) and (part.attr in MANAGERS or part.attr in QUERYSET_CALLS) for part in inner
    )


def _lower(node: ast.AST) -> bool:
    """Tell whether the receiver is a value rather than ``services``, which may be asked to change anything."""
    return not (isinstance(node, ast.Name) and node.id.endswith("services"))


# -- Status codes -----------------------------------------------------------------------------------------
DJANGO_REFUSALS = {
    "HttpResponseBadRequest",
    "HttpResponseForbidden",
    "HttpResponseNotFound",
    "HttpResponseNotAllowed",
    "HttpResponseGone",
    "HttpResponseServerError",
}
ERRORS = range(400, 600)


def status_codes(source: Source) -> list[str]:
    """HTTP codes of errors outside the one file that knows them; what OpenAPI is told does not count."""
    if source.rooms == ("core", "api", "problems"):
        return []
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in DJANGO_REFUSALS or re.match(r"HTTP_[45]\d\d_", name):
                found.append(f"{source.path}:{node.lineno} {name}")
        elif isinstance(node, ast.keyword) and _error_code(node.value) and node.arg in {"status", "status_code"}:
            found.append(f"{source.path}:{node.value.lineno} {node.arg}=")
        elif isinstance(node, ast.Dict):
            found += _asgi_status(source, node)
    return found


def _asgi_status(source: Source, node: ast.Dict) -> list[str]:
    pairs = zip(node.keys, node.values, strict=True)
    return [
        f"{source.path}:{node.lineno} status"
        for key, value in pairs
        if isinstance(key, ast.Constant) and key.value == "status" and _error_code(value)
    ]


def _error_code(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value in ERRORS


# -- The clock --------------------------------------------------------------------------------------------
CLOCKS = re.compile(
    r"(clock\.(now|plant_now)|plant_now|timezone\.now|datetime\.(now|utcnow|today)|date\.today|time\.time)$"
)
CHANCE = re.compile(r"(random\.\w+|secrets\.\w+|uuid\.?uuid[14]|os\.urandom)$")


def fetches(source: Source) -> list[str]:
    """Calls that fetch the time, and in domain chance too, where they should be passed in."""
    in_domain = "domain" in source.rooms
    if not in_domain and not {"services", "queries"} & set(source.rooms):
        return []
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if CLOCKS.search(name) or (in_domain and CHANCE.search(name)):
                found.append(f"{source.path}:{node.lineno} {name}()")
    return found


# -- Packages and migrations ------------------------------------------------------------------------------
def package_with_code(source: Source) -> list[str]:
    """An ``__init__.py`` is one docstring; inside an app it may gather names of its own files. More is a finding."""
    if not source.path.endswith("__init__.py"):
        return []
    body = source.tree.body
    if not body or ast.get_docstring(source.tree) is None:
        return [f"{source.path}: no docstring says what it owns"]
    gathered = [node for node in body[1:] if _gathers(source, node)]
    found = [f"{source.path}:{node.lineno} code" for node in body[1:] if node not in gathered]
    return found if len(gathered) != 1 else [*found, f"{source.path}: names without __all__, or __all__ without names"]


def _gathers(source: Source, node: ast.stmt) -> bool:
    """Tell whether ``node`` only brings what outgrew one file back under the one name by which others know it."""
    rooms = source.rooms[:-1]
    if len(rooms) == 1:
        return False  # an app has no names of its own: Django imports it before there are models
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith(".".join(["techtrack", *rooms, ""]))
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


MIGRATION_NAME = re.compile(r"0001_initial|\d{4}_(?!.*auto_)[a-z][a-z0-9_]*")


def unnamed_or_branched(names: list[str]) -> list[str]:
    """Migrations of one app that have no name of their own, or whose numbers do not run from 1 without a gap."""
    found = [name for name in names if not MIGRATION_NAME.fullmatch(name)]
    numbers = [name[:4] for name in sorted(names)]
    expected = [f"{number:04d}" for number in range(1, len(names) + 1)]
    return found if numbers == expected else [*found, f"numbers {numbers} are not a line"]


def migrations() -> Iterator[tuple[str, list[str]]]:
    """Each app's migrations."""
    for folder in sorted(PACKAGE.glob("*/migrations")):
        yield folder.parent.name, [file.stem for file in sorted(folder.glob("[0-9]*.py"))]
