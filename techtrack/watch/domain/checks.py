"""The table of what may be wrong with the platform, and what each look says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from techtrack.watch.domain.facts import (
    PATIENCE,
    Channel,
    Disk,
    Facts,
    Limits,
    Process,
    Source,
    at_work,
    living,
)
from techtrack.watch.domain.following import Habit, Mark, habit, mark
from techtrack.watch.domain.hysteresis import TROUBLE

GIB = 1 << 30


class Kind(NamedTuple):
    """A kind of trouble: how bad it is, the unit of its value, and what to do."""

    severity: str
    unit: str
    advice: str


KINDS: Mapping[str, Kind] = {
    "judge_lag": Kind(
        "high",
        "s",
        "Readings are stored, and their alerts come late. See whether a worker is at work and what it logs, whether "
        "the database is slow, or whether more comes in than one judge passes.",
    ),
    "no_worker": Kind(
        "critical",
        "s",
        "Readings are stored, and nobody judges them. Start `techtrack worker`, or see why it ended. Web processes "
        "send waiting messages meanwhile.",
    ),
    "dead_worker": Kind(
        "high",
        "1",
        "It ended without a word (killed, out of memory, its machine gone). Start it again; what it had in hand is "
        "taken over by others. A day later it is no longer missed.",
    ),
    "stuck_loop": Kind(
        "high",
        "s",
        "The process lives, and this part of its work has not come to an end for long. See its log, then start it "
        "again: nothing is lost by that.",
    ),
    "disk_full": Kind(
        "critical",
        "GiBy",
        "Make room, or give the disk more of it: a full disk stops readings from being stored. Shorter retention of "
        "types frees space within the day.",
    ),
    "silent_source": Kind(
        "medium",
        "s",
        "The gateway that uses this key used to send and does not. See whether it runs and reaches the platform; "
        "revoke the key if it is no longer used.",
    ),
    "failing_channel": Kind(
        "high",
        "s",
        "Messages wait and are tried again. The channel's page shows what the other side says; a test message tells "
        "whether it is mended.",
    ),
    "untold_groups": Kind(
        "high",
        "1",
        "Alerts of these groups have reached nobody yet; it is tried every minute. Their history names the route and "
        "what is wrong with it, such as a template that breaks.",
    ),
    "dead_letters": Kind(
        "medium",
        "1",
        "These messages were given up today. Mend their channel and retry them on the page of deliveries.",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look says of one thing: ``level`` is 1 where trouble begins, None where it cannot be told.

    ``value`` and ``limit`` are for people. ``memory`` is what the next look must know.
    """

    kind: str
    subject: str
    level: float | None
    title: str = ""
    value: float | None = None
    limit: float | None = None
    memory: Mark | Habit | None = None

    @property
    def is_grave(self) -> bool:
        """Whether it is trouble that keeps the platform from its work."""
        return self.level is not None and self.level >= TROUBLE and KINDS[self.kind].severity in {"high", "critical"}


def examine(facts: Facts, limits: Limits) -> list[Finding]:
    """Say of everything whether it is well."""
    found = [_judge(facts, limits), *_workers(facts, limits), *_loops(facts, limits), *_disk(facts, limits)]
    found += [_source(source, facts) for source in facts.sources]
    found += [_channel(channel, limits) for channel in facts.channels]
    return [*found, _dead_letters(facts.dead_letters), _untold(facts.untold)]


def _judge(facts: Facts, limits: Limits) -> Finding:
    remembered = mark(facts.mark, head=facts.head, judged=facts.judged, at=facts.at)
    lag = remembered.lag if remembered else 0.0
    behind = facts.head - facts.judged
    title = f"The judge is {_time(lag)} behind: {behind} batches of readings wait for it"
    return Finding("judge_lag", "", lag / limits.lag, title, lag, limits.lag, remembered)


def _workers(facts: Facts, limits: Limits) -> Iterator[Finding]:
    workers = [process for process in facts.processes if process.works]
    # Where there never was one: since somebody could have noticed.
    ages = [one.age for one in workers] or [one.up for one in living(facts, limits)]
    silence = min(ages, default=None)
    alone = not at_work(facts, limits)
    level = None if silence is None else (silence / limits.dead if alone else 0.0)
    title = f"No worker is at work{_for(silence)}"
    yield Finding("no_worker", "", level, title, silence, limits.dead)
    missing = _missing(workers, limits)
    names = ", ".join(process.name for process in missing)
    title = f"{len(missing)} {'worker has' if len(missing) == 1 else 'workers have'} died: {names}"
    # While none is left the other alert says so, and this one stays as it is.
    yield Finding("dead_worker", "", None if alone else float(len(missing)), title, float(len(missing)), 1.0)


def _missing(workers: Sequence[Process], limits: Limits) -> list[Process]:
    """The dead in whose place no other was started; whoever began after one died stands in for one."""
    dead = sorted((one for one in workers if not one.ended and one.age >= limits.dead), key=lambda one: -one.age)
    # Those that died since are among them: they stood in, and are missed themselves.
    began = sorted((one.up for one in workers), reverse=True)
    missing = []
    # The longest dead first, each with the first that came after it: so as few as can be are missed.
    for process in dead:
        later = next((up for up in began if up < process.age), None)
        if later is None:
            missing.append(process)
        else:
            began.remove(later)
    return missing


def _loops(facts: Facts, limits: Limits) -> Iterator[Finding]:
    working = at_work(facts, limits)
    for name, patience in PATIENCE.items():
        ages = [process.age + process.loops[name] for process in working if name in process.loops]
        age = min(ages, default=None)
        title = f"The {name} hangs: no worker has finished a step of it{_for(age)}"
        yield Finding("stuck_loop", name, None if age is None else age / patience, title, age, patience)


def _disk(facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Of all that living processes see, the disk that has least; processes on one machine see the same."""
    seen = [(disk.free, process.name, disk) for process in living(facts, limits) for disk in process.disks]
    if not seen:
        yield Finding("disk_full", "", None)
        return
    _, name, disk = min(seen, key=lambda one: one[0])
    host = name.partition(":")[0]
    title = f"{disk.free / GIB:.2g} GiB of disk are free for {disk.folder} on {host}"
    yield Finding("disk_full", "", _fullness(disk, limits), title, disk.free / GIB, limits.disk / GIB)


def _fullness(disk: Disk, limits: Limits) -> float:
    return limits.disk / max(disk.free, 1)


def _source(source: Source, facts: Facts) -> Finding:
    known = habit(source.habit, seen=source.last_used)
    quiet = max(0.0, (facts.at - source.last_used).total_seconds())
    patience = known.patience
    level = None if patience is None else quiet / patience
    title = f"{source.name!r} has sent nothing{_for(quiet)}"
    return Finding("silent_source", str(source.pk), level, title, quiet, patience, known)


def _channel(channel: Channel, limits: Limits) -> Finding:
    level = channel.failing_for / limits.failing
    title = f"The channel {channel.name!r} has failed{_for(channel.failing_for)}"
    return Finding("failing_channel", str(channel.pk), level, title, channel.failing_for, limits.failing)


def _dead_letters(count: int) -> Finding:
    title = f"{count} {'message was' if count == 1 else 'messages were'} given up"
    return Finding("dead_letters", "", float(count), title, float(count), 1.0)


def _untold(count: int) -> Finding:
    title = f"{count} {'group' if count == 1 else 'groups'} of alerts cannot be told"
    return Finding("untold_groups", "", float(count), title, float(count), 1.0)


def _for(seconds: float | None) -> str:
    return "" if seconds is None else f" for {_time(seconds)}"


def _time(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
