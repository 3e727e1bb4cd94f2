"""Key figures of an alarm system: by hand, and against a slow, obvious count of the same events."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import timedelta

import numpy as np
import pytest

from techtrack.alerts.domain.advice import Delays, Identity, nice, problems
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.kpi import Happenings, Kind, Measures, most_frequent, quantiles
from techtrack.alerts.domain.lifecycle import Change
from techtrack.core.clock import MICROSECOND, read_duration
from tests.unit.alerts.watching import HOT, looks, run, watch_of

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
START = 1_700_000_400 * SECOND  # a full ten minutes
assert START % (10 * MINUTE) == 0
HIGH = SEVERITIES.index("high")


def happened(*rows):
    """Rows of (seconds since START, kind, alert), then identity, severity and hidden where they are not 0."""
    full = [(*row, *(0, HIGH, False)[len(row) - 3 :]) for row in rows]
    times = np.array([START + round(row[0] * SECOND) for row in full], np.int64)
    kinds, alerts, identities, severities = (np.array([row[place] for row in full], np.int64) for place in (1, 2, 3, 4))
    return Happenings(
        times, times.copy(), kinds, alerts, identities, severities, np.array([row[5] for row in full], bool)
    )


def measured(*rows, hours=1.0):
    return Measures(happened(*rows), (START, START + round(hours * HOUR)))


def burst(start, count, *, every=10, alert=0, identity=0):
    """Raises and returns, the alert being active half of the time."""
    rows = []
    for number in range(count):
        at = start + number * every
        rows += [(at, Kind.RAISED, alert, identity), (at + every / 2, Kind.RETURNED, alert, identity)]
    return rows


class TestRates:
    def test_nothing_happened(self):
        nothing = measured()
        assert (nothing.average, nothing.slots.tolist(), nothing.floods, nothing.flooded) == (0.0, [0] * 6, [], 0.0)
        assert (len(nothing.chattering), len(nothing.stale.starts), nothing.loudest) == (0, 0, [])
        assert nothing.answers[1] == 0
        assert problems(nothing, [], {}) == []

    def test_count_by_ten_minutes_of_the_clock(self):
        found = measured((0, Kind.RAISED, 1), (599, Kind.RAISED, 2), (600, Kind.RAISED, 3), (3599, Kind.RAISED, 4))
        assert found.slots.tolist() == [2, 1, 0, 0, 0, 1]
        assert found.average == pytest.approx(4 / 6)
        assert found.distribution()[:3] == [(0, 0, 3), (1, 1, 2), (2, 2, 1)]
        assert sum(slots for _, _, slots in found.distribution()) == 6

    def test_what_is_hidden_is_no_annunciation(self):
        found = measured((0, Kind.RAISED, 1), (5, Kind.RAISED, 2, 1, HIGH, True))
        assert (len(found.raised), len(found.annunciations), found.slots[0]) == (2, 1, 1)

    def test_a_span_that_begins_between_slots(self):
        events = happened((700, Kind.RAISED, 1))
        found = Measures(events, (START + 5 * MINUTE, START + 15 * MINUTE))
        assert found.slots.tolist() == [0, 1]
        assert found.average == 1.0

    def test_the_timeline_joins_slots(self):
        found = measured(*[(0, Kind.RAISED, number) for number in range(3)], (700, Kind.RAISED, 9), hours=5 / 6)
        together, counts, peaks = found.timeline(3)
        assert (together, counts.tolist(), peaks.tolist()) == (2, [4, 0, 0], [3, 0, 0])


class TestFloods:
    def slots(self, *counts):
        rows, alert = [], 0
        for slot, count in enumerate(counts):
            for number in range(count):
                alert += 1
                rows.append((slot * 600 + number * 600 / (count + 1), Kind.RAISED, alert, slot))
        return measured(*rows, hours=len(counts) / 6)

    def test_ten_are_none(self):
        assert self.slots(10, 10, 0).floods == []

    def test_eleven_begin_one_and_fewer_than_five_end_it(self):
        found = self.slots(3, 11, 9, 5, 4, 0)
        (flood,) = found.floods
        assert (flood.start - START, flood.end - START) == (10 * MINUTE, 40 * MINUTE)
        assert (flood.annunciations, flood.peak, flood.first) == (25, 11, 1)
        assert found.flooded == 0.5
        assert len(found.in_floods()) == 25

    def test_one_that_goes_on_ends_with_the_span(self):
        found = self.slots(0, 12, 6)
        assert [(flood.start - START, flood.end - START) for flood in found.floods] == [(10 * MINUTE, 30 * MINUTE)]

    def test_two(self):
        assert [flood.annunciations for flood in self.slots(11, 0, 20, 5, 30, 4).floods] == [11, 55]


class TestChattering:
    def test_three_within_a_minute(self):
        found = measured(*burst(0, 3, every=30))
        assert found.chattering.times.tolist() == [START, START + 30 * SECOND, START + 60 * SECOND]

    def test_three_in_a_little_more_than_a_minute_are_none(self):
        assert len(measured(*burst(0, 3, every=30.1)).chattering) == 0

    def test_of_one_identity_only(self):
        rows = [(0, Kind.RAISED, 1, 1), (1, Kind.RAISED, 2, 2), (2, Kind.RAISED, 3, 1)]
        assert len(measured(*rows).chattering) == 0

    def test_the_fix_is_an_off_delay_longer_than_every_pause(self):
        found = measured(*burst(0, 5, every=20))
        (problem,) = problems(found, [Identity(4, 7, "temperature")], {4: Delays(0, 5 * SECOND)})
        assert (problem.problem, problem.count) == ("chattering", 5)
        # Pauses are 10 s, the off-delay is 5 s: the condition was away for 15 s at most.
        assert problem.fix == {
            "action": "preview",
            "rule_id": 4,
            "assets": [7],
            "changes": {"off_delay": "PT30S"},
        }

    def test_of_a_rule_that_is_gone_can_only_be_looked_at(self):
        (problem,) = problems(measured(*burst(0, 5)), [Identity(None, 7, "")], {})
        assert problem.fix == {"action": "review", "rules": []}


class TestFleeting:
    def test_over_within_a_minute(self):
        found = measured(*burst(0, 4, every=100))
        assert found.fleeting.lengths.tolist() == [50 * SECOND] * 4
        (problem,) = problems(found, [Identity(4, 7, "")], {4: Delays(10 * SECOND, 0)})
        assert (problem.problem, problem.count) == ("fleeting", 4)
        assert problem.fix["changes"] == {"on_delay": "PT2M"}

    def test_chattering_is_not_told_twice(self):
        assert len(measured(*burst(0, 6)).fleeting.starts) == 0


class TestStale:
    def test_more_than_a_day(self):
        rows = [(-5 * 86_400, Kind.RAISED, 1), (0, Kind.RAISED, 2, 1), (86_400, Kind.RETURNED, 2, 1)]
        found = measured(*rows, hours=48)
        assert found.stale.alerts.tolist() == [1]
        assert not found.stale.returned[0]
        (problem,) = problems(found, [Identity(4, 7, ""), Identity(5, 7, "")], {})
        assert (problem.problem, problem.fix) == ("stale", {"action": "open_task", "alert": 1})
        assert problem.detail == "active for 7.0 days and still is"

    def test_a_return_before_the_end_counts_to_the_return(self):
        rows = [(-86_400, Kind.RAISED, 1), (3600, Kind.RETURNED, 1)]
        found = measured(*rows, hours=48)
        assert found.stale.lengths.tolist() == [25 * HOUR]
        # It was raised before the span: that is no annunciation of the span.
        assert len(found.raised) == 0


class TestAnswers:
    def test_from_the_first_unanswered_raise(self):
        rows = [
            (0, Kind.RAISED, 1),
            (10, Kind.RETURNED, 1),
            (20, Kind.RAISED, 1),
            (60, Kind.ACKNOWLEDGED, 1),
            (70, Kind.RAISED, 1),
            (80, Kind.RAISED, 2),
            (90, Kind.ACKNOWLEDGED, 2),
        ]
        times, waiting = measured(*rows).answers
        assert (sorted(times.tolist()), waiting) == ([10 * SECOND, 60 * SECOND], 1)

    def test_what_was_raised_before_or_hidden_does_not_count(self):
        rows = [
            (-10, Kind.RAISED, 1),
            (5, Kind.ACKNOWLEDGED, 1),
            (6, Kind.RAISED, 2, 1, HIGH, True),
            (7, Kind.ACKNOWLEDGED, 2, 1),
        ]
        times, waiting = measured(*rows).answers
        assert (times.tolist(), waiting) == ([], 0)

    def test_are_measured_by_the_wall_clock(self):
        events = happened((0, Kind.RAISED, 1), (100, Kind.ACKNOWLEDGED, 1))
        events.recorded[0] += 90 * SECOND  # found in late data
        assert Measures(events, (START, START + HOUR)).answers[0].tolist() == [10 * SECOND]


class TestProblems:
    def test_a_flood_names_the_rules_that_sounded_most(self):
        rows = [(number, Kind.RAISED, number, number % 2) for number in range(12)]
        rows += [(20, Kind.RAISED, 99, 1)]
        found = problems(measured(*rows), [Identity(4, 7, ""), Identity(5, 8, "")], {})
        assert found[0].problem == "flood"
        assert found[0].fix == {"action": "review", "rules": [5, 4]}

    def test_too_much_high_priority(self):
        low = SEVERITIES.index("low")
        rows = [(number * 100, Kind.RAISED, number, number, HIGH if number < 5 else low) for number in range(20)]
        found = problems(measured(*rows), [Identity(number + 1, 7, "") for number in range(20)], {})
        assert [(one.problem, one.count) for one in found] == [("priorities", 5)]

    def test_the_frequent_gets_whichever_delay_is_shorter(self):
        rows = [row for n in range(24) for row in ((n * 150, Kind.RAISED, 1), (n * 150 + 90, Kind.RETURNED, 1))]
        low = SEVERITIES.index("low")
        rows = [(*row, 0, low) for row in rows]
        (problem,) = problems(measured(*rows), [Identity(4, 7, "")], {4: Delays(0, 0)})
        assert (problem.problem, problem.fix["changes"]) == ("frequent", {"off_delay": "PT2M"})

    @pytest.mark.parametrize(
        ("wanted", "advised"), [(0, 2), (2, 5), (59.9, 60), (60, 120), (599, 600), (600, None), (9999, None)]
    )
    def test_advised_delays_are_those_people_choose(self, wanted, advised):
        assert nice(round(wanted * SECOND)) == (None if advised is None else advised * SECOND)


def test_quantiles_of_nothing_are_none():
    assert quantiles(np.empty(0, np.int64), (0.5, 0.95)) == [None, None]
    assert quantiles(np.array([10, 20, 30]), (0.5, 1.0)) == [20, 30]


def test_of_equally_frequent_the_first_is_first():
    assert most_frequent(np.array([3, 1, 3, 1, 2]), 2) == [(1, 2), (3, 2)]


# -- The slow oracle: plain loops over the same rows ----------------------------------------------------------


def drawn(seed):
    """A random life of some alerts, as rows in the order in which they were recorded."""
    dice = random.Random(seed)
    rows = []
    for alert in range(dice.randint(0, 12)):
        identity, at = alert % 4, dice.uniform(-90_000, 86_400)
        while at < 86_400 and dice.random() < 0.95:
            severity, hidden = dice.randrange(len(SEVERITIES)), dice.random() < 0.2
            rows.append((at, Kind.RAISED, alert, identity, severity, hidden))
            if hidden and dice.random() < 0.5:
                rows.append((at + dice.uniform(0, 100), Kind.UNCOVERED, alert, identity, severity, False))
            if dice.random() < 0.3:
                rows.append((at + dice.uniform(0, 200), Kind.ACKNOWLEDGED, alert, identity, severity, False))
            at = rows[-1][0] + dice.choice([5, 20, 200, 40_000]) * dice.random()
            rows.append((at, Kind.RETURNED, alert, identity, severity, False))
            at += dice.choice([5, 20, 200, 9000]) * dice.random()
    rows = [row for row in sorted(rows, key=lambda row: row[0]) if row[0] < 86_400]
    # Before the span only the raises of what is active when it begins are given.
    last = {row[2]: row for row in rows if row[0] < 0 and row[1] in {Kind.RAISED, Kind.RETURNED}}
    carried = [row for row in rows if row[0] < 0 and row is last.get(row[2]) and row[1] == Kind.RAISED]
    return carried + [row for row in rows if row[0] >= 0]


def slow_floods(counts):
    inside, floods = False, 0
    for count in counts:
        if not inside and count > 10:
            inside, floods = True, floods + 1
        elif inside and count < 5:
            inside = False
    return floods


def slow_chattering(rows):
    times = defaultdict(list)
    for row in rows:
        if row[1] == Kind.RAISED and row[0] >= 0:
            times[row[3]].append(round(row[0] * SECOND))
    marked = 0
    for own in times.values():
        own.sort()
        for at in own:
            marked += any(
                sum(begin <= other <= begin + MINUTE for other in own) >= 3 and begin <= at <= begin + MINUTE
                for begin in own
            )
    return marked


def slow_stale(rows):
    since, stale = {}, 0
    for at, kind, alert, *_ in rows:
        if kind == Kind.RAISED:
            since[alert] = at
        elif kind == Kind.RETURNED and alert in since:
            stale += at - since.pop(alert) > 86_400
    return stale + sum(86_400 - at > 86_400 for at in since.values())


def slow_answers(rows):
    waiting, times = {}, []
    for at, kind, alert, _identity, _severity, hidden in rows:
        if kind in {Kind.RAISED, Kind.UNCOVERED} and at >= 0 and not hidden:
            waiting.setdefault(alert, at)
        elif kind == Kind.ACKNOWLEDGED and alert in waiting:
            times.append(round(at * SECOND) - round(waiting.pop(alert) * SECOND))
    return sorted(times), len(waiting)


@pytest.mark.parametrize("seed", range(150))
def test_agrees_with_a_slow_count(seed):
    rows = drawn(seed)
    found = measured(*rows, hours=24)
    told = [row for row in rows if row[1] in {Kind.RAISED, Kind.UNCOVERED} and row[0] >= 0 and not row[5]]
    counts = Counter(int(row[0] // 600) for row in told)
    assert found.slots.tolist() == [counts[slot] for slot in range(144)]
    assert len(found.floods) == slow_floods(found.slots.tolist())
    assert len(found.chattering) == slow_chattering(rows)
    assert len(found.stale.starts) == slow_stale(rows)
    times, waiting = found.answers
    assert (sorted(times.tolist()), waiting) == slow_answers(rows)
    assert dict(found.loudest) == dict(Counter(row[3] for row in told).most_common(10))
    by_severity = Counter(SEVERITIES[row[4]] for row in told)
    assert {name: count for name, count in found.by_severity().items() if count} == dict(by_severity)
    problems(found, [Identity(number + 1, 1, "") for number in range(4)], {1: Delays(0, 0)})


# -- What is advised is tried with the step of the live judge ---------------------------------------------------


def lived(signal, **delays):
    """The events of a rule (above 80; delays in µs) with a signal, as what happened to one alert."""
    rule = {name: timedelta(microseconds=delay) for name, delay in delays.items()}
    _, transitions = run(watch_of(HOT, **rule), looks(*((at * SECOND, value) for at, value in [*signal, (86_300, 75)])))
    kinds = {Change.RAISED: Kind.RAISED, Change.RETURNED: Kind.RETURNED}
    return measured(*[(one.at / SECOND, kinds[one.change], 1) for one in transitions], hours=24)


def noisy(seed, *, still):
    """Values by the second that rest on the limit in bursts, with ``still`` seconds or so between two changes."""
    dice, at, signal = random.Random(seed), 1, []
    while at < 80_000:
        for _ in range(dice.randint(1, 12)):
            signal += [(at, 85), (at + dice.randint(1, still), 75)]
            at = signal[-1][0] + dice.randint(1, still)
        at += dice.randint(300, 6000)
    return signal


def advised(found, problem, **delays):
    """The delay that is advised against a problem, by its name in the rule, in µs; None where there is no problem."""
    told = problems(found, [Identity(4, 7, "")], {4: Delays(delays.get("on_delay", 0), delays.get("off_delay", 0))})
    fixes = [one.fix for one in told if one.problem == problem]
    return {name: read_duration(text) // MICROSECOND for fix in fixes for name, text in fix["changes"].items()}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("on_delay", [0, 2 * SECOND], ids=["at once", "with an on-delay"])
@pytest.mark.parametrize("off_delay", [0, 3 * SECOND], ids=["returns at once", "with an off-delay"])
def test_the_advised_off_delay_ends_all_chattering(seed, on_delay, off_delay):
    signal = noisy(seed, still=20)
    before = lived(signal, on_delay=on_delay, off_delay=off_delay)
    assert len(before.chattering)
    delays = {"on_delay": on_delay, "off_delay": off_delay}
    after = lived(signal, **{**delays, **advised(before, "chattering", **delays)})
    assert len(after.chattering) == 0
    assert 0 < len(after.raised) < len(before.raised)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("off_delay", [0, 5 * SECOND])
def test_the_advised_on_delay_ends_all_that_was_fleeting(seed, off_delay):
    dice, at, signal = random.Random(seed), 1, []
    while at < 80_000:
        length = dice.choice([dice.randint(5, 40), dice.randint(400, 900)])
        signal += [(at, 85), (at + length, 75)]
        at += length + dice.randint(200, 2000)
    before = lived(signal, off_delay=off_delay)
    change = advised(before, "fleeting", off_delay=off_delay)
    after = lived(signal, off_delay=off_delay, **change)
    assert len(before.fleeting) >= 3
    assert len(after.raised) == len(before.raised) - len(before.fleeting)
    assert len(after.fleeting) == 0
