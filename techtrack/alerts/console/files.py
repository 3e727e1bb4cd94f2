"""Rules written to files and read from them, as seen at a terminal: what changes in each, or what is wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from techtrack.accounts import queries as accounts
from techtrack.accounts.domain.access import internal
from techtrack.alerts import queries, services
from techtrack.alerts.console.places import OK, refuse, texts_of
from techtrack.alerts.domain import files
from techtrack.alerts.services import Effect
from techtrack.core import clock
from techtrack.core.acting import speak_for
from techtrack.core.errors import TechTrackError

SIGNS = {"created": "[green]+[/]", "updated": "[yellow]~[/]", "deleted": "[red]-[/]", "unchanged": " "}


def run_export(output: Path | None, *, site: str | None) -> int:
    """Write the rules, of one site or all, to a file, to a folder (one file each), or to the terminal."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        export = queries.rules_told(access=internal("rules"), site=site)
        for name in export.idle:
            errors.print(f"[yellow]{escape(name)} is left out: all the assets that it names are gone.[/]")
        if output is None:
            print(files.write(export.rules, site=site), end="")  # noqa: T201 - the text itself, to be piped
            return OK
        written = _write(output, export.rules, site)
    except (TechTrackError, OSError) as error:
        return refuse(errors, error, {})
    counted = f"{len(export.rules)} rule{'' if len(export.rules) == 1 else 's'}"
    console.print(f"[green]{counted} written to {escape(str(output))}.[/]")
    for path in sorted(set(output.glob("*.yaml")) - written) if output.is_dir() else ():
        console.print(f"[yellow]{escape(str(path))} was there before and holds none of them.[/]")
    return OK


def run_import(path: Path, *, dry_run: bool, prune: bool, as_user: str | None) -> int:
    """Write the rules of a file, or of all YAML files of a folder, and tell what changed; return the exit code."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    texts: dict[str, str] = {}
    try:
        texts = texts_of(path)
        read = [files.read(text, source=source) for source, text in texts.items()]
        by = accounts.access_named(as_user) if as_user else internal("rules")
        if as_user:
            speak_for(by.principal)
        effects = services.import_rules(
            rules=[rule for one in read for rule in one.rules],
            prune={one.site for one in read} if prune else (),
            dry_run=dry_run,
            by=by,
            now=clock.now(),
        )
    except (TechTrackError, OSError) as error:
        return refuse(errors, error, texts)
    _tell(console, effects)
    if dry_run:
        console.print("Nothing was written: this was a dry run.")
    return OK


def _write(output: Path, rules: list[dict[str, Any]], site: str | None) -> set[Path]:
    if not output.is_dir():
        output.write_text(files.write(rules, site=site), encoding="utf-8")
        return {output}
    written: dict[Path, str] = {}
    for rule in sorted(rules, key=lambda rule: (rule["name"], str(rule["scope"]))):
        slug = re.sub(r"\W+", "-", rule["name"].lower()).strip("-")[:80] or "rule"
        numbered = (output / f"{slug}{'' if number == 1 else f'-{number}'}.yaml" for number in range(1, len(rules) + 2))
        path = next(path for path in numbered if path not in written)
        written[path] = files.write([rule], site=site)
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return set(written)


def _tell(console: Console, effects: list[Effect]) -> None:
    for effect in effects:
        if effect.what == "unchanged":
            continue
        console.print(f"{SIGNS[effect.what]} {escape(effect.rule)}", soft_wrap=True)
        for one in effect.differences:
            before, after = (escape(_shown(side)) for side in (one.before, one.after))
            console.print(f"    {escape(one.pointer[1:])}: [red]{before}[/] → [green]{after}[/]", soft_wrap=True)
    counts = Counter[str](effect.what for effect in effects)
    told = [f"{counts[what]} {what}" for what in SIGNS if counts[what]]
    console.print(f"{', '.join(told) or 'No rules'}.")


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
