"""The matrix finds every hole that is planted: a check that cannot fail is none."""

from __future__ import annotations

import pytest

from techtrack.core.api import viewsets
from tests.integration.authorisation import walk
from tests.integration.authorisation.matrix import walk as walked
from tests.integration.authorisation.mutants import MUTANTS

pytestmark = pytest.mark.django_db
LEAST = 20


@pytest.fixture(autouse=True)
def _without_statements():
    """Statements that were made with the hole, or without it, are not for the other."""
    viewsets._statements.clear()
    yield
    viewsets._statements.clear()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_a_planted_hole_is_found(mutant, walker, monkeypatch):
    mutant.plant(monkeypatch)
    for name in mutant.operations:
        assert walked(walker, walk.operations()[name]).faults, f"nothing was noticed of it at {name}"


def test_there_are_enough_holes():
    assert len(MUTANTS) >= LEAST
