"""The campaign against the audit log: a thousand ways to tamper with it, each of which verifying must find."""

from __future__ import annotations

import random

import pytest

from techtrack.accounts.domain import chain
from techtrack.accounts.models import AuditEntry
from techtrack.accounts.services import audit_proof
from techtrack.accounts.services.audit_seal import seal_entries
from techtrack.core import acting
from techtrack.core.acting import Actor
from tests import factories
from tests.campaigns import tampering
from tests.campaigns.scale import scale

SEED = 20261122
TIMES = 1000 if scale() > 1 else 250


def written() -> int:
    """Write and seal a log in which every column says something; tell how many entries it has."""
    somebody = Actor("user:1", session="f0-1", address="10.0.0.1", agent="tests/1", via="api")
    with acting.acting(lambda: somebody):
        site = factories.make_site("Plant A")
        olga, tom = factories.make_user("olga-x"), factories.make_user("tom-x", first_name="Tom")
        robot = factories.make_equipment("Robot A", site=site)
        for number in range(12):
            robot.change(expected=None, now=factories.NOW, name=f"Robot {number}", description=f"no {number}")
            olga.change(expected=None, now=factories.NOW, email=f"olga{number}@example.org")
        factories.make_key(tom)
        factories.make_rule(site=site, name="Too hot").remove(expected=None)
    while seal_entries():
        pass
    return AuditEntry.objects.count()


def missed(times: int, ways=tampering.WAYS, *, seed: int = SEED) -> list[str]:
    """Tamper so many times; return what was not found."""
    chance = random.Random(seed)
    done = (tampering.tampered(chance, lambda: not audit_proof.verify().intact, ways) for _ in range(times))
    return [said for said in done if said is not None]


@pytest.fixture
def log(db):
    entries = written()
    tampering.disarm()
    assert audit_proof.verify().intact
    return entries


def test_every_tampering_is_found(log):
    print(f"seed {SEED}, {TIMES} tamperings, {log} entries")
    assert missed(TIMES) == []
    # Each was undone, and left nothing behind.
    assert audit_proof.verify().intact


class TestThePlantedBugs:
    """A verifier that overlooks something is caught by the campaign."""

    @pytest.mark.parametrize("column", ["agent", "object_id", "site_id", "request_id"])
    def test_a_column_that_is_not_hashed(self, db, monkeypatch, column):
        monkeypatch.setattr(chain, "COLUMNS", tuple(name for name in chain.COLUMNS if name != column))
        written()
        tampering.disarm()
        assert audit_proof.verify().intact
        assert missed(150, [tampering.edit])

    def test_a_head_that_is_noted_nowhere_outside(self, log, settings, tmp_path):
        settings.AUDIT_HEAD = tmp_path / "elsewhere"
        settings.AUDIT_HEAD.write_text('{"position": 0, "hash": "' + chain.START + '"}')
        assert missed(20, [tampering.seal_anew])

    def test_words_that_are_not_looked_at(self, log, monkeypatch):
        monkeypatch.setattr(audit_proof, "_prove_words", lambda _: None)
        assert missed(5, [tampering.forget_word])

    def test_a_beginning_that_need_not_be_told(self, log, monkeypatch):
        monkeypatch.setattr(audit_proof, "_prove_beginning", lambda _: None)
        assert missed(20, [tampering.cut_beginning])

    def test_a_counter_that_is_not_compared(self, log, monkeypatch):
        monkeypatch.setattr(audit_proof, "_prove", audit_proof._prove_entries)
        assert missed(20, [tampering.count_otherwise])
