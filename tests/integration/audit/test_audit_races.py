"""Eight writers and two sealers at once: every committed change has one entry, what was undone has none."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, transaction

from techtrack.accounts.models import AuditEntry, Site
from techtrack.accounts.services import audit, audit_proof, audit_seal
from tests import factories
from tests.factories import NOW

WRITERS, TIMES = 8, 25


def write(number: int) -> list[str]:
    """Change a site of one's own again and again, some of it undone; return what was committed."""
    chance, committed = random.Random(number), []
    site = Site.objects.get(name=f"Site {number}")
    for time in range(TIMES):
        address = f"{number}-{time}"
        undone = chance.random() < 0.3
        with transaction.atomic():
            site.change(expected=None, now=NOW, address=address)
            transaction.set_rollback(undone)
        if undone:
            site.refresh_from_db()
        else:
            committed.append(address)
    connection.close()
    return committed


def seal(over: Event) -> None:
    """Seal what comes until all writers are done."""
    while not over.is_set():
        audit_seal.seal_entries()
    connection.close()


def raced() -> set[str]:
    """Let writers and sealers at it; return what was committed."""
    for number in range(WRITERS):
        factories.make_site(f"Site {number}")
    over = Event()
    with ThreadPoolExecutor(WRITERS + 2) as pool:
        sealers = [pool.submit(seal, over) for _ in range(2)]
        committed = list(pool.map(write, range(WRITERS)))
        over.set()
        for sealer in sealers:
            sealer.result()
    return {address for some in committed for address in some}


def told() -> list[str]:
    return [entry.after for entry in AuditEntry.objects.filter(action="site.changed")]


@pytest.mark.django_db(transaction=True)
class TestWritersAndSealers:
    def test_leave_one_entry_for_each_committed_change_and_a_chain_that_holds(self):
        committed = raced()
        assert sorted(told()) == sorted(f'{{"address":"{address}"}}' for address in committed)
        verdict = audit_proof.verify()
        assert verdict.intact, verdict.detail
        assert verdict.entries == AuditEntry.objects.count()
        positions = AuditEntry.objects.order_by("position").values_list("position", flat=True)
        assert list(positions) == list(range(1, len(positions) + 1))

    def test_and_a_planted_entry_outside_of_the_transaction_is_caught(self, monkeypatch):
        real, kept = audit.note_change, []
        monkeypatch.setattr(audit, "note_change", lambda **known: kept.append(known))
        committed = raced()
        for known in kept:
            real(**known)
        assert sorted(told()) != sorted(f'{{"address":"{address}"}}' for address in committed)
