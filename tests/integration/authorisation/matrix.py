"""Walks one operation of the matrix: everybody, about the own site, the other one, and nothing that is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.integration.authorisation import policy
from tests.integration.authorisation.policy import ABSENT, OWN, Case, Row
from tests.integration.authorisation.walk import Answer, Operation, Walker
from tests.integration.authorisation.world import Principal

OTHER = "other"
PLACES = (OWN, OTHER, ABSENT)


@dataclass
class Walk:
    """One operation as everybody asks for it; ``faults`` is what contradicts the policy, in words."""

    walker: Walker
    operation: Operation
    row: Row
    cells: int = 0
    done: bool = False
    faults: list[str] = field(default_factory=list)

    def run(self) -> Walk:
        """Ask for every cell."""
        for who in self.walker.world.principals.values():
            answers = {place: self._cell(who, place) for place in self._places()}
            if OTHER in answers:
                self._compare(who, answers)
        return self

    def _places(self) -> tuple[str, ...]:
        return PLACES if self.operation.has_places else (OWN,)

    def _cell(self, who: Principal, place: str) -> Answer:
        self.cells += 1
        answer = self.walker.ask(self.operation, who, place, items=self.row.items)
        case = self._case(who, place)
        expected = self.row.statuses(case, self.operation.success, names=self.operation.has_places)
        said = f"{self.operation.id} by {who.name} at {place}"
        if answer.status not in expected:
            self.faults.append(f"{said}: {answer.status}, and not {sorted(expected)}: {answer.text[:200]}")
        self.done |= answer.status in self.operation.success
        if answer.changed and "anybody" not in self.row.may:
            self.faults.append(f"{said}: refused with {answer.status}, and wrote {answer.changed}")
        self.faults += [f"{said}: tells {told}" for told in self._leaks(who, place, answer)]
        if place == OWN and answer.status in self.operation.success and self.row.rows:
            self.faults += self._rows(case, answer, said) + self._count(answer, said)
        return answer

    def _case(self, who: Principal, place: str) -> Case:
        sent = self.operation.request(self.walker.world.names(who, place))
        return Case(self.walker.world, who, place, about_key=str(who.asset) in str(sent))

    def _leaks(self, who: Principal, place: str, answer: Answer) -> Iterator[str]:
        sent = str(self.operation.request(self.walker.world.names(who, place)))
        text = f"{answer.headers} {answer.plain}"
        for side in self.walker.world.hidden_from(who):
            yield from sorted(told for told in side.tells(text, to=who) if told not in sent)

    def _rows(self, case: Case, answer: Answer, said: str) -> list[str]:
        """A list shows the own site's rows to whom the policy names, and to nobody else."""
        if self.row.rows == "nobody" or case.who.user is None:
            return []
        side, who = self.walker.world.sides[case.who.home], case.who
        own = str(who.user.username) if self.operation.path.endswith("users/") else f"-{who.user.pk}"
        shows = own in answer.plain if self.row.rows == "self" else bool(side.tells(answer.plain, to=who))
        return [] if shows == case.holds(self.row.rows) else [f"{said}: {'shows' if shows else 'hides'} the own rows"]

    def _count(self, answer: Answer, said: str) -> list[str]:
        """A page that has no next one counts what it shows."""
        told = json.loads(answer.text)
        if (
            "results" not in told
            or told.get("next")
            or told.get("count", 0) == len(told["results"])
            or "count" not in told
        ):
            return []
        return [f"{said}: counts {told['count']} and shows {len(told['results'])}"]

    def _compare(self, who: Principal, answers: dict[str, Answer]) -> None:
        """Of what the caller must not know of, the answer is the one for what is not there."""
        names = {place: self.walker.world.names(who, place) for place in (OTHER, ABSENT)}
        if self.row.shows(self._case(who, OTHER), names=True) or who.dead:
            return
        other, absent = answers[OTHER], answers[ABSENT]
        pairs = [(str(one), str(names[ABSENT][name])) for name, one in names[OTHER].items()]
        one, two = other.compared(pairs), absent.compared([])
        if one != two:
            self.faults.append(f"{self.operation.id} by {who.name}: elsewhere is not as nowhere: {one} {two}")


def walk(walker: Walker, operation: Operation) -> Walk:
    """Walk one operation."""
    return Walk(walker, operation, policy.rows()[operation.id]).run()
