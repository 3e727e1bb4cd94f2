"""Gateways that break every rule, and senders killed again and again: everybody is told, and repeats can be told."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from benchmarks.figures import percentile
from tests.campaigns import telling
from tests.campaigns.nursery import Nursed
from tests.campaigns.scale import new_seed, scale
from tests.campaigns.telling_certificates import Certificates
from tests.campaigns.telling_gateways import Arrival, Fault, Gateways
from tests.campaigns.telling_plan import Case, Destination, Plan, make_cases, open_gateways
from tests.campaigns.telling_verdict import Evidence, Row, before_mending, final, named, repeats, unclear
from tests.plugins.platform import ROOT, _clean_environment, database_url

pytestmark = pytest.mark.xdist_group("campaigns")
ALERTS, KILLS = 1_000, 50
MANY_ALERTS, MANY_KILLS = 10_000, 300
SENDERS = 2
# After so many seconds in which nothing changes, nothing will; what is lost never comes.
PATIENCE = 60.0
SHARES = {"p50": 0.5, "p95": 0.95, "max": 1.0}


class Installation:
    """Senders and a reporter that can be killed, the gateways, and one who can be asked how things stand."""

    def __init__(self, folder: Path, stack: ExitStack, *, database: str, alerts: int, bugs: tuple[str, ...]) -> None:
        self.seed, self.kills = new_seed(), 0
        self._reported = 0
        self.struck: list[float] = []
        self.dice = random.Random(self.seed)
        certificates = Certificates(folder / "certificates")
        self.gateways = stack.enter_context(closing(Gateways(certificates, self.seed)))
        ports, destinations = open_gateways(self.gateways)
        cases = make_cases(destinations, alerts, self.dice)
        self.plan = Plan(tuple(destinations), tuple(cases), began=time.time(), services=ports)
        self.plan.write(folder / telling.PLAN)
        env = _clean_environment() | {
            telling.FOLDER: str(folder),
            "DATABASE_URL": database,
            "PYTHON_DOTENV_DISABLED": "1",
            "EMAIL_URL": f"smtp+ssl://127.0.0.1:{ports['mail']}",
            "SSL_CERT_FILE": str(certificates.authority),
            # Apprise trusts what the library Requests trusts.
            "REQUESTS_CA_BUNDLE": str(certificates.authority),
            "TECHTRACK_PRIVATE_DESTINATIONS": "127.0.0.1",
            "LOG_LEVEL": "ERROR",
            # By a clock that goes so fast everybody seems dead.
            "TECHTRACK_WATCH_SECONDS": "0",
            # So that those who write to SQLite take turns.
            "TECHTRACK_PROCESSES": "2",
            # One machine raises many alerts here; none of them is to be hidden for it.
            "TECHTRACK_FLOOD_RAISES": "1000000",
        }
        self._looker = stack.enter_context(Looker(env))
        self.ask("begin")
        log = folder / "log"
        self.reporter = stack.enter_context(Nursed("report", str(self.seed), env=env, log=log, bugs=bugs))
        self.senders = [stack.enter_context(Nursed("tell", env=env, log=log, bugs=bugs)) for _ in range(SENDERS)]

    def ask(self, question: str) -> Any:
        """Return the answer of telling.py."""
        return self._looker.ask(question)

    def start(self) -> None:
        """Let all of them run."""
        for one in (self.reporter, *self.senders):
            one.start()

    def strike(self) -> None:
        """Kill a sender, every other time the reporter too, and start it again."""
        victims = [self.dice.choice(self.senders), *([self.reporter] if self.kills % 2 else [])]
        if self.reporter in victims:
            self.wait(self.reports)
        for victim in victims:
            victim.kill()
        self.kills += 1
        self.struck.append(time.monotonic())
        time.sleep(self.dice.choice([0, 0, 0.3]))
        for victim in victims:
            victim.start()

    def evidence(self) -> Evidence:
        """All that is known now: what arrived is looked at last, so that it has whatever was marked as sent."""
        rows = [Row(*row[:-1], tuple(row[-1])) for row in self.ask("deliveries")]
        return Evidence(self.plan, named(tuple(self.gateways.arrivals), rows), rows, tuple(self.struck))

    def latencies(self) -> list[float]:
        """How long it took, in seconds, until a healthy gateway had a message of an alert, shortest first."""
        raised, since = self.ask("raised"), time.time() - time.monotonic()
        healthy, first = set(self.plan.of_temper("healthy")), dict[str, float]()
        for one in self.gateways.arrivals:
            for case in one.cases if one.gateway in healthy else ():
                first.setdefault(case, one.at + since - raised[case])
        return sorted(first.values())

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Return when it is, or when it will not come any more; the verdict says which."""
        before, deadline = self.progress(), time.monotonic() + PATIENCE
        while not is_done() and time.monotonic() < deadline:
            time.sleep(0.3)
            if before != (now := self.progress()):
                before, deadline = now, time.monotonic() + PATIENCE

    def reports(self) -> bool:
        """Tell whether the reporter is at work, or has done it: on a busy machine it takes its time to begin."""
        last, self._reported = self._reported, self.ask("state")["alerts"]
        return self._reported > last or self._reported == len(self.plan.cases)

    def progress(self) -> object:
        """What changes as long as anything is done; what is tried in vain does not count."""
        there = self.ask("state")
        ends = [(name, rows.get("sent"), rows.get("dead")) for name, rows in there.pop("deliveries").items()]
        return there, ends

    def all_is_reported(self) -> bool:
        """Tell whether every alert is there, and those that return have."""
        there, lasting = self.ask("state"), sum(not case.returns for case in self.plan.cases)
        return bool(there["alerts"] == len(self.plan.cases) and there["active"] == lasting)

    def is_idle_at(self, *tempers: str) -> bool:
        """Tell whether nothing waits for such gateways."""
        there, names = self.ask("state"), self.plan.of_temper(*tempers)
        waiting = [there["deliveries"].get(name, {}).get(state, 0) for name in names for state in ("pending", "held")]
        return not there["untold"] and not sum(waiting)


class Looker:
    """A process that answers questions about the database."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.telling"],
            env=env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def ask(self, question: str) -> Any:
        """Return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(question, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def campaign(folder: Path, name: str, *, alerts: int, kills: int, bugs: tuple[str, ...] = ()) -> list[str]:
    """Kill senders so often while alerts are reported; return what is wrong before and after gateways are mended."""
    with ExitStack() as stack:
        running = Installation(folder, stack, database=database_url(folder, name), alerts=alerts, bugs=bugs)
        began = time.monotonic()
        running.start()
        while running.kills < kills:
            time.sleep(running.dice.uniform(0.1, 0.8))
            running.strike()
        print(f"killed after {time.monotonic() - began:.1f} s")
        running.wait(running.all_is_reported)
        print(f"reported after {time.monotonic() - began:.1f} s")
        running.wait(lambda: running.is_idle_at("healthy", "mixed"))
        found = before_mending(running.evidence())
        print(f"told after {time.monotonic() - began:.1f} s")
        running.gateways.mend()
        running.wait(lambda: running.is_idle_at("stuck"))
        running.ask("retry")
        running.wait(lambda: running.is_idle_at("healthy", "mixed", "stuck"))
        evidence = running.evidence()
        found += final(evidence)
        came, soon = evidence.arrivals, running.latencies()
        print(f"{time.monotonic() - began:.1f} s, {running.kills} kills, {len(came)} arrivals")
        print(f"{len(list(repeats(came)))} repeats for kills, {unclear(came)} for unclear answers")
        print(f"{sum(running.gateways.faults.values())} faults: {dict(running.gateways.faults)}")
        shares = " s, ".join(f"{name} {percentile(soon, share):.2f}" for name, share in SHARES.items())
        print(f"healthy gateways had {len(soon)} alerts after {shares} s")
        # For whoever looks into a failure: both by the same clock.
        (folder / "struck").write_text("\n".join(map(str, running.struck)))
        (folder / "arrivals").write_text("\n".join(map(str, running.gateways.arrivals)))
    return found


@pytest.mark.slow
class TestTellingPeople:
    def test_loses_nothing_and_doubles_nothing_that_cannot_be_told(self, tmp_path, worker_id):
        assert campaign(tmp_path, f"techtrack_outbox_{worker_id}", alerts=ALERTS, kills=KILLS) == []

    @pytest.mark.skipif(scale() < 10, reason="takes ten minutes: TECHTRACK_CAMPAIGN=10")
    def test_loses_and_doubles_nothing_however_often(self, tmp_path, worker_id):
        assert campaign(tmp_path, f"techtrack_outbox_{worker_id}", alerts=MANY_ALERTS, kills=MANY_KILLS) == []

    @pytest.mark.parametrize(
        ("bug", "said"),
        [
            ("deliveries_are_marked_before_they_are_sent", "marked as sent, and was not"),
            ("each_attempt_has_an_id_of_its_own", "of an id that the outbox does not know"),
            ("notices_are_written_after_their_alert", "lost"),
        ],
    )
    def test_catches_a_sender_where(self, bug, said, tmp_path, worker_id):
        found = campaign(tmp_path, f"techtrack_outbox_{worker_id}", alerts=ALERTS // 5, kills=KILLS // 10, bugs=(bug,))
        assert any(fault.startswith(said) for fault in found), found


class TestVerdict:
    plan = Plan(
        (Destination("good", "healthy", "email", {}), Destination("bad", "stuck", "email", {})),
        (Case("case-1", "good", returns=False), Case("case-2", "bad", returns=False)),
        began=0.0,
    )
    marks: ClassVar = {"good": "case-1", "bad": "case-2"}

    def evidence(self, *arrivals: Arrival, **states: str) -> Evidence:
        rows = [
            Row(name[0], name, state, 1, "", over=False, cases=(self.marks[name],)) for name, state in states.items()
        ]
        return Evidence(self.plan, arrivals, rows, kills=[])

    def arrival(self, name: str, fault: Fault | None = None, number: str = "") -> Arrival:
        return Arrival(name, number or name[0], frozenset([self.marks[name]]), over=False, fault=fault, at=0.0)

    def test_is_content_with_what_came_and_came_again_for_a_reason(self):
        unclear, later = self.arrival("bad", Fault.RESET), self.arrival("bad", Fault.LATER)
        came = [unclear, later, self.arrival("bad"), self.arrival("good")]
        assert final(self.evidence(*came, good="sent", bad="sent")) == []

    def test_before_the_end_wants_a_dead_letter_of_what_is_refused(self):
        came = [self.arrival("bad", Fault.NEVER), self.arrival("good")]
        assert before_mending(self.evidence(*came, good="sent", bad="dead")) == []
        assert before_mending(self.evidence(*came, good="sent", bad="pending"))

    @pytest.mark.parametrize(
        ("names", "states", "said"),
        [
            (["good"], {"good": "sent", "bad": "sent"}, "lost: ('bad', 'case-2')"),
            (["good"], {"good": "sent", "bad": "dead"}, "left over"),
            (["good"], {"good": "sent", "bad": "sent"}, "marked as sent, and was not"),
            (["good", "bad", "bad"], {"good": "sent", "bad": "sent"}, "repeated without a reason: ('bad', 'b')"),
            (["good", "bad"], {"good": "sent"}, "of an id that the outbox does not know: ('bad', 'b')"),
        ],
        ids=["lost", "left over", "only marked", "repeated", "unknown"],
    )
    def test_names_what_is_wrong(self, names, states, said):
        found = final(self.evidence(*[self.arrival(name) for name in names], **states))
        assert any(fault.startswith(said) for fault in found), found

    def test_names_what_is_told_under_several_ids(self):
        came = [self.arrival("bad"), self.arrival("good"), self.arrival("good", number="x")]
        assert any(fault.startswith("told under several ids") for fault in final(self.evidence(*came)))

    def test_knows_what_came_without_an_id_by_what_it_says(self):
        rows = list(self.evidence(good="sent", bad="sent").rows)
        nameless = [self.arrival(name)._replace(id="") for name in ("good", "bad", "good")]
        came = named([*nameless, nameless[0]._replace(over=True)], rows)
        assert [one.id for one in came] == ["g", "b", "g", ""]
        found = final(Evidence(self.plan, came, rows, kills=[]))
        assert any(fault.startswith("repeated without a reason: ('good', 'g')") for fault in found)
        assert any(fault.startswith("of an id that the outbox does not know: ('good', '')") for fault in found)

    def test_names_what_is_written_twice(self):
        rows = [*self.evidence(good="sent", bad="sent").rows, self.evidence(good="sent").rows[0]._replace(id="x")]
        came = [self.arrival("good"), self.arrival("bad"), self.arrival("good", number="x")]
        assert any(fault.startswith("written twice") for fault in final(Evidence(self.plan, came, rows, kills=[])))

    def test_counts_what_came_again_after_an_answer_that_said_neither_yes_nor_no(self):
        faults = [Fault.RESET, Fault.LATER, None, Fault.HANG_AFTER_DATA, Fault.DRIP, None]
        assert unclear([self.arrival("bad", fault) for fault in faults]) == 3
