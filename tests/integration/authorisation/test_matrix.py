"""Every operation, as everybody, about the own site, another one, and nothing: the written policy holds."""

from __future__ import annotations

import pytest

from tests.integration.authorisation import policy, walk
from tests.integration.authorisation.matrix import PLACES
from tests.integration.authorisation.matrix import walk as walked

# Inside the transaction of the world (conftest.py), so that each test is undone to it.
pytestmark = pytest.mark.django_db
OPERATIONS = sorted(policy.rows())
LEAST_CELLS = 1_500


@pytest.mark.parametrize("operation", OPERATIONS)
class TestOperation:
    def test_answers_everybody_as_the_policy_says_and_tells_nobody_more(self, operation, walker):
        found = walked(walker, walk.operations()[operation])
        assert not found.faults, "\n".join(found.faults)
        assert found.done or found.row.gives, "nobody of the cast could do it: give it an example that works"


def test_the_matrix_is_large_enough(world):
    known = [one for one in walk.operations().values() if one.id in policy.rows()]
    cells = sum(len(world.principals) * (len(PLACES) if one.has_places else 1) for one in known)
    print(f"\nauthorisation matrix: {len(known)} operations, {cells} cells")
    assert cells >= LEAST_CELLS
