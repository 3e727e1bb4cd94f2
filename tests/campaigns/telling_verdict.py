"""Compares what gateways have received with what was to be told, and with what the outbox believes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.campaigns.telling_gateways import TAKEN, Arrival, Fault
from tests.campaigns.telling_plan import Plan

# Of one kind of fault so many are enough.
MOST_SAID = 5
# An outbox gives up a message that nobody has refused after no fewer attempts.
PATIENCE = 8
# A gateway may read, in seconds, what the dead have sent.
LATENESS = 1.0


class Row(NamedTuple):
    """A delivery in the outbox."""

    id: str
    channel: str
    state: str
    attempts: int
    error: str
    over: bool
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known at one moment; ``kills`` are when senders were killed, by the clock of arrivals."""

    plan: Plan
    arrivals: Sequence[Arrival]
    rows: Sequence[Row]
    kills: Sequence[float]

    def told(self) -> set[tuple[str, str]]:
        """The pairs of gateway and case of which a message was taken."""
        return {(one.gateway, case) for one in self.arrivals if one.fault in TAKEN for case in one.cases}

    def told_over(self) -> set[tuple[str, str]]:
        """Those of which a message was taken that they are over."""
        return {(one.gateway, case) for one in self.arrivals if one.fault in TAKEN and one.over for case in one.cases}

    def due(self, *tempers: str) -> set[tuple[str, str]]:
        """The pairs of gateway and case that are to be told at such gateways."""
        names = set(self.plan.of_temper(*tempers))
        return {(case.gateway, case.mark) for case in self.plan.cases if case.gateway in names}

    def due_over(self) -> set[tuple[str, str]]:
        """The pairs of which the end is to be told."""
        return {(case.gateway, case.mark) for case in self.plan.cases if case.returns}


def named(arrivals: Iterable[Arrival], rows: Iterable[Row]) -> list[Arrival]:
    """Give what came without an id that of the delivery that it must be.

    A channel is told once of an alert, and once of its end.
    """
    ids = {(row.channel, frozenset(row.cases), row.over): row.id for row in rows}
    return [one if one.id else one._replace(id=ids.get((one.gateway, one.cases, one.over), "")) for one in arrivals]


def final(evidence: Evidence) -> list[str]:
    """Name what is wrong when all gateways are mended and nothing is left to do."""
    found = [
        *_some("lost", evidence.due("healthy", "mixed", "stuck") - evidence.told()),
        *_some("never said to be over", evidence.due_over() - evidence.told_over()),
        *_some("said to be over, and is not", evidence.told_over() - evidence.due_over()),
        *_some("told though nobody asked", evidence.told() - evidence.due("healthy", "mixed", "stuck")),
        *_some("left over", (row for row in evidence.rows if row.state not in {"sent", "merged"})),
        *_some("marked as sent, and was not", _never_taken(evidence)),
    ]
    return [*found, *_identities(evidence), *_repeats(evidence)]


def before_mending(evidence: Evidence) -> list[str]:
    """Name what is wrong while some gateways still take nothing: the others have got all that is theirs.

    A dead letter is one that was refused, or that was tried often.
    """
    refused = {one.id for one in evidence.arrivals if one.fault is Fault.NEVER}
    early = [row for row in evidence.rows if row.state == "dead" and row.id not in refused and row.attempts < PATIENCE]
    untold = evidence.due("healthy", "mixed") - evidence.told()
    dead = {row.channel for row in evidence.rows if row.state == "dead"}
    healthy = dead & set(evidence.plan.of_temper("healthy"))
    visible = {(row.channel, case) for row in evidence.rows if row.state == "dead" for case in row.cases}
    return [
        *_some("kept from others by gateways that take nothing", untold - visible),
        *_some("given up too early", early),
        *_some("a healthy gateway has dead letters", healthy),
        *([] if dead else ["no dead letter is seen, though gateways refuse"]),
    ]


def _never_taken(evidence: Evidence) -> Iterator[Row]:
    taken = {one.id for one in evidence.arrivals if one.fault in TAKEN}
    return (row for row in evidence.rows if row.state == "sent" and row.id not in taken)


def _identities(evidence: Evidence) -> Iterator[str]:
    """What arrived is what the outbox sent, under one id for each thing that was to be told."""
    known = {(row.channel, row.id) for row in evidence.rows}
    yield from _some("of an id that the outbox does not know", {one[:2] for one in evidence.arrivals} - known)
    ids, returns = defaultdict(set), {case.mark: case.returns for case in evidence.plan.cases}
    for one in evidence.arrivals:
        for case in one.cases:
            ids[one.gateway, case].add(one.id)
    many = (pair for pair, found in ids.items() if len(found) > 1 + returns.get(pair[1], False))
    yield from _some("told under several ids", many)
    meant = Counter((row.channel, row.cases, row.over) for row in evidence.rows if row.state != "merged")
    yield from _some("written twice", (what for what, count in meant.items() if count > 1))


def _repeats(evidence: Evidence) -> list[str]:
    again = list(repeats(evidence.arrivals))
    needless = [first[:2] for first, second in again if not _killed(evidence, first.at, second.at)]
    of_gateway = Counter(first.gateway for first, _ in again)
    # A sender has no more than one message of a channel in hand.
    many = [f"{name}: {count}" for name, count in of_gateway.items() if count > len(evidence.kills)]
    return [*_some("repeated without a reason", needless), *_some("repeated more often than killed", many)]


def _killed(evidence: Evidence, first: float, second: float) -> bool:
    return any(first - LATENESS <= kill <= second for kill in evidence.kills)


def repeats(arrivals: Iterable[Arrival]) -> Iterator[tuple[Arrival, Arrival]]:
    """What came again though it had clearly been taken, with what came: only a kill in between explains that."""
    last: dict[tuple[str, str], Arrival] = {}
    for one in arrivals:
        before = last.get((one.gateway, one.id))
        if before is not None and before.fault is None:
            yield before, one
        last[one.gateway, one.id] = one


def unclear(arrivals: Iterable[Arrival]) -> int:
    """Count what came again because the answer before had said neither yes nor no."""
    last: dict[tuple[str, str], Arrival] = {}
    count = 0
    for one in arrivals:
        before = last.get((one.gateway, one.id))
        count += before is not None and before.fault not in {None, Fault.LATER, Fault.NEVER}
        last[one.gateway, one.id] = one
    return count


def _some(what: str, things: Iterable[object]) -> list[str]:
    found = sorted(map(str, things))
    more = f", and {len(found) - MOST_SAID} more" if len(found) > MOST_SAID else ""
    return [f"{what}: {'; '.join(found[:MOST_SAID])}{more}"] if found else []
