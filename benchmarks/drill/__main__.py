"""``python -m benchmarks.drill [--short] [--write]``: runs the drill; the exit code is 1 if anything was not kept."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from benchmarks.compose import Compose
from benchmarks.drill import page
from benchmarks.drill.faults import FULL, SHORT
from benchmarks.drill.run import Drill
from benchmarks.drill.verdict import Verdict
from benchmarks.postgres import Postgres

# The log of readings is folded now and then while parts die; an alert that comes often is told every time.
SETTINGS = {"TECHTRACK_FOLD_SEGMENTS": "1500", "TECHTRACK_FLOOD_RAISES": "100000"}


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drill", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one fault of each kind, in about a minute")
    parser.add_argument("--write", action="store_true", help="write docs/reference/availability.md")
    options = parser.parse_args()
    if options.short and options.write:
        parser.error("what a short drill finds is not written down")
    # Whoever ends this ends the servers with it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    began = time.monotonic()
    drill, verdict = _run(short=options.short)
    print(page.as_text(verdict), flush=True)
    if options.write and not verdict.faults:
        _say(f"written: {page.write(drill, verdict, time.monotonic() - began)}")
    return 1 if verdict.faults else 0


def _run(*, short: bool) -> tuple[Drill, Verdict]:
    postgres = Postgres()
    try:
        compose = Compose(postgres, **SETTINGS)
        try:
            drill = Drill(compose, say=_say)
            try:
                drill.begin()
                drill.strike(SHORT if short else FULL)
                return drill, drill.end()
            finally:
                drill.close()
        finally:
            compose.stop()
    finally:
        postgres.stop()


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
