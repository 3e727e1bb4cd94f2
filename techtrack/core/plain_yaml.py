"""Reads and writes YAML as JSON for people: plain data, one meaning for each text, errors with line and column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import yaml

from techtrack.core.errors import Invalid

LONGEST = 10_000_000
# What is longer is written over several lines.
WIDTH = 110
SHORT = 96
_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_TEXT, _LIST, _OBJECT = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
_BARE = {"null": r"~|null|", "bool": r"true|false", "int": _INTEGER.pattern, "float": _NUMBER.pattern}
# Whole numbers up to here are floats without loss.
_WHOLE = 2**53
_BREAKS = set("\x85\u2028\u2029")
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """PyYAML without YAML 1.1's ideas of what a bare text may mean: every scalar is a text at first."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class NotPlain(Invalid):
    """The text is not YAML, or says more than JSON could."""

    code = "not_yaml"


def load(text: str) -> Any:
    """Return the one document in ``text`` as dictionaries with texts for keys, lists, texts, numbers, flags and None.

    Scalars mean what they mean in YAML 1.2: ``no`` is a text and no flag, ``1:30`` no number, ``2026-11-22`` no date.

    Raises:
        NotPlain: it is no YAML, names a member twice, or uses tags, anchors or keys that are no texts.

    """
    if len(text) > LONGEST:
        raise NotPlain(f"at most {LONGEST:,} characters are read")
    try:
        root = yaml.compose(text, Loader=_Loader)
        return None if root is None else _plain(root, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        told = ", ".join(filter(None, (error.context, error.problem)))
        raise NotPlain(f"{where}this is no YAML: {told}") from error
    except yaml.YAMLError as error:
        raise NotPlain(f"this is no YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise NotPlain("it is nested too deeply") from error


def line_of(text: str, pointer: str) -> int:
    """Return the line (from 1) of what a JSON pointer leads to in a text that ``load`` reads, or of what holds it."""
    node, line = yaml.compose(text, Loader=_Loader), 1
    for name in pointer.split("/")[1:]:
        found = _member(node, name.replace("~1", "/").replace("~0", "~"))
        if found is None:
            break
        place, node = found
        line = place.start_mark.line + 1
    return line


def _member(node: yaml.Node | None, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return where a member or item begins, and what it is."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == name), None)
    if isinstance(node, yaml.SequenceNode) and name.isdecimal() and int(name) < len(node.value):
        return (node.value[int(name)],) * 2
    return None


def dump(value: Any) -> str:
    """Write plain data so that ``load`` gives it back: members in their order, short ones on one line, 90.0 as 90."""
    text: str = yaml.dump(_terse(value), Dumper=_Dumper, width=WIDTH, allow_unicode=True, sort_keys=False)
    return text


class _Dumper(yaml.SafeDumper):
    """PyYAML that quotes a text where ``load`` would not take it for one."""

    yaml_implicit_resolvers = {
        None: [(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})\Z")) for kind, pattern in _BARE.items()]
    }

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: FBT001, FBT002 - as PyYAML's
        return super().increase_indent(flow, indentless=False)

    def serialize(self, node: Any) -> None:
        # The whole is never on one line, however short.
        if isinstance(node, yaml.CollectionNode) and node.value:
            node.flow_style = False
        super().serialize(node)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:  # noqa: FBT001 - as PyYAML's
        inside = [value for one in mapping.values() for value in (one.values() if isinstance(one, dict) else [one])]
        return super().represent_mapping(tag, mapping, flow_style=_is_short(mapping, inside))

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:  # noqa: FBT001 - as PyYAML's
        return super().represent_sequence(tag, sequence, flow_style=_is_short(sequence, sequence))

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # Line breaks of other scripts are kept only where they are escaped.
        style = '"' if set(text) & _BREAKS else "|" if "\n" in text else None
        return self.represent_scalar(_TEXT, text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _terse(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _terse(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_terse(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE else value


def _is_short(whole: Any, inside: Iterable[Any]) -> bool:
    return len(json.dumps(whole)) <= SHORT and not any(isinstance(value, list | Mapping) and value for value in inside)


def _plain(node: yaml.Node, seen: set[int]) -> Any:
    # An alias brings the same node again; a few of them within each other would unfold to gigabytes.
    if id(node) in seen:
        raise _refused(node, "write it out: anchors and aliases are not read")
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode) and node.tag == _TEXT:
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode) and node.tag == _LIST:
        return [_plain(item, seen) for item in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == _OBJECT:
        return _members(node, seen)
    raise _refused(node, f"the tag {node.tag} is not read")


def _members(node: yaml.MappingNode, seen: set[int]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in node.value:
        name = key.value
        if not isinstance(key, yaml.ScalarNode):
            raise _refused(key, "the name of a member is a plain text")
        if name in members:
            raise _refused(key, f"{name!r} is named twice")
        members[name] = _plain(value, seen)
    return members


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    # A style is how it is quoted; what is quoted, or a block, is a text whatever it looks like.
    if node.style:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    if math.isinf(number):
        raise _refused(node, f"the number {text} is too large")
    return number


def _refused(node: yaml.Node, detail: str) -> NotPlain:
    mark = node.start_mark
    return NotPlain(f"line {mark.line + 1}, column {mark.column + 1}: {detail}")
