"""Writes of audited tables that the audit log does not hear of by itself, found in the text of the sources."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from tests.architecture.house import Source

# Past ``save``, ``change``, ``remove`` and the deletion of a queryset.
UNHEARD = {"update", "bulk_create", "bulk_update"}


def unheard(source: Source, models: Collection[str]) -> list[str]:
    """Name the calls that write rows of ``models`` unheard, as ``path function Model.call``."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)]
    return [
        f"{source.path} {function.name} {model}.{call.func.attr}"
        for function in functions
        for call in _calls(function)
        for model in sorted(_models(call.func.value, function, models))
    ]


def _calls(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in UNHEARD:
            yield node


def _models(receiver: ast.expr, function: ast.FunctionDef, models: Collection[str]) -> set[str]:
    """Return the models whose rows the receiver stands for: those it names, or that made the variable it is."""
    names = _names(receiver)
    if found := names & set(models):
        return found
    made: set[str] = set()
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assign)
            and {target.id for target in node.targets if isinstance(target, ast.Name)} & names
        ):
            made |= _rows_of(node.value) & set(models)
    return made


def _names(node: ast.AST) -> set[str]:
    """Return the name at the root of a chain of calls and attributes; arguments do not count."""
    while isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.IfExp):
        return _names(node.body) | _names(node.orelse)
    return {node.id} if isinstance(node, ast.Name) else set()


def _rows_of(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def unfollowed(source: Source, models: Collection[str]) -> list[str]:
    """Name the updates of which this cannot tell whose rows they write, as ``path function``."""
    found = []
    for function in (node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)):
        for call in _calls(function):
            # A dictionary's takes a positional.
            of_rows = call.keywords and not call.args
            if of_rows and not _models(call.func.value, function, models):
                found.append(f"{source.path} {function.name}")
    return found
