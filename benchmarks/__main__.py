"""``python -m benchmarks [line …] [--quick] [--write]``: measures, prints one table a line, keeps what was found."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable

from benchmarks import report
from benchmarks.bench import SQLITE, Bench
from benchmarks.figures import Result, as_text
from benchmarks.lines import (
    air,
    cache,
    calendars,
    dropped,
    growth,
    ingest,
    judging,
    layouts,
    live,
    load,
    outbox,
    plans,
    queries,
    single,
    small,
    work,
)
from benchmarks.peers.series import VictoriaMetrics

LINES: dict[str, Callable[[Bench], Result]] = {
    "ingest": ingest.ingest,
    "cadence": ingest.cadence,
    "ordinary": ingest.ordinary,
    "single": single.single,
    "disk": ingest.disk,
    "queries": queries.queries,
    "fanout": live.fanout,
    "alerts": live.alerts,
    "dropped": dropped.dropped,
    "judging": judging.judging,
    "outbox": outbox.outbox,
    "layouts": layouts.layouts,
    "cache": cache.cache,
    "calendars": calendars.calendars,
    "small": small.small,
    "work": work.work,
    "plans": plans.plans,
    "air": air.air,
}
# What a look in under three minutes is made of.
QUICK_LINES = ("ingest", "single", "queries", "alerts")
QUICK_SYSTEMS = (SQLITE, VictoriaMetrics.name)
# Minutes to hours: only when it is asked for by name.
LONG: dict[str, Callable[[Bench], Result]] = {"growth": growth.growth, "load": load.load}


def main() -> int:
    """Run what is asked for; return 1 if a line could not be measured at all."""
    options = _options()
    # Whoever ends this ends the servers with it, also where a shell has told us not to hear Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    glance = options.quick and not options.lines
    only = options.only or (QUICK_SYSTEMS if glance else ())
    bench = Bench(quick=options.quick, say=_say, only=tuple(only), most=options.most)
    failed = []
    try:
        for name in options.lines or (QUICK_LINES if glance else LINES):
            began = time.monotonic()
            _say(f"== {name}")
            bench.missing.clear()
            try:
                result = (LINES | LONG)[name](bench)
            except Exception as error:  # noqa: BLE001 - the other lines are still worth their minutes
                failed.append(name)
                _say(f"{name} could not be measured: {type(error).__name__}: {error}")
                continue
            result.about = report.about(time.monotonic() - began, quick=options.quick)
            print(as_text(result), flush=True)
            if options.write:
                report.keep(result)
    finally:
        bench.close()
    if options.write:
        _say(f"written: {report.write_page()}")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("lines", nargs="*", choices=[[], *LINES, *LONG], help="all but growth and load if left out")
    parser.add_argument("--quick", action="store_true", help="a look in under three minutes; not for the page")
    parser.add_argument("--write", action="store_true", help="write docs/reference/performance.md")
    parser.add_argument("--only", action="append", help="only this system, by its name in the table; again for more")
    parser.add_argument("--most", type=int, default=100, help="growth: up to so many million values (100)")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("quick figures are not written down")
    return options


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
