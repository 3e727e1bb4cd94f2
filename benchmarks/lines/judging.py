"""What judging costs beside taking in: the same batches over HTTP with 20,000 rules and with none."""

from __future__ import annotations

from functools import partial

from benchmarks.bench import OURS, Bench, Start
from benchmarks.figures import Result, Run, at_least, at_most, interleaved, number
from benchmarks.lines.ingest import STEP, sent
from benchmarks.load import BODY, Load, make_load, whole_hour
from benchmarks.processes import wait_until_idle
from benchmarks.techtrack import TechTrack

RULES = 20_000
BODIES = (1_000, BODY)
SHOWN = ["system", "readings a body", "rules", "M values/s", "CPU-s/M acknowledged", "CPU-s/M whole life"]


def judging(bench: Bench) -> Result:
    """Bodies of a tick and of five, over four connections, with and without rules in turn."""
    load = make_load(ticks=int(bench.pick(180, 720)), end=whole_hour(1), step=STEP)
    starts = bench.starts(*OURS)
    cases = [(name, body, rules) for name in starts for body in BODIES for rules in (0, RULES)]
    measures = {
        f"{name}, bodies of {body:,}, {rules:,} rules": partial(_measure, bench, starts[name], load, body, rules)
        for name, body, rules in cases
    }
    runs = interleaved(measures, rounds=bench.rounds, say=bench.say)
    by_case = dict(zip(cases, runs.values(), strict=True))
    rows = [
        [name, f"{body:,}", f"{rules:,}", *(number(run[figure]) for figure in ("rate", "acknowledged", "whole"))]
        for (name, body, rules), run in by_case.items()
    ]
    result = Result("judging", "Judging beside batch ingest", SHOWN, rows, notes=_notes(load, bench))
    for name in starts:
        for body in BODIES:
            with_rules, without = by_case[name, body, RULES], by_case[name, body, 0]
            what = f"{name}, bodies of {body:,}: {{}} with {RULES:,} rules against none"
            result.bars += [
                at_least(what.format("values/s"), with_rules["rate"], without["rate"], times=0.9),
                at_most(what.format("whole-life CPU"), with_rules["whole"], without["whole"], times=1.1),
            ]
    return result


def _measure(bench: Bench, start: Start, load: Load, body: int, rules: int) -> Run:
    with bench.running(start) as system:
        assert isinstance(system, TechTrack)
        system.lay_rules(rules)
        requests = [system.write_request(load, first, last) for first, last in load.stretches(body)]
        # The rule book is read anew; there is nothing to fold yet.
        wait_until_idle(system.pids, at_least=system.begins_to_settle)
        return sent(system, requests, values=load.count, connections=4)


def _notes(load: Load, bench: Bench) -> list[str]:
    return [
        (
            f"{load.count:,} values of 1,000 assets x 5 parameters, 10 s apart, over 4 connections; medians of "
            f"{bench.rounds} interleaved runs on fresh systems. Nothing fires."
        ),
        (
            "Of ten rules seven are limits with a delay, one each an average over a minute, a rate over a minute, and "
            "silence or a flatline; four for each of 5,000 series. CPU of the server with all its processes."
        ),
    ]
