"""Sealing, proving, keeping and forgetting the audit log."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from techtrack.accounts import jobs
from techtrack.accounts.domain import chain
from techtrack.accounts.domain.chain import Broken
from techtrack.accounts.models import AuditCheckpoint, AuditEntry, AuditWord
from techtrack.accounts.services import audit, audit_proof, audit_seal
from techtrack.core.clock import to_micros
from tests import factories
from tests.campaigns import tampering
from tests.factories import NOW


@pytest.fixture
def log(db):
    """Twelve sealed entries, the oldest two of them of a person."""
    factories.make_user("olga-z")
    site = factories.make_site("S")
    for number in range(10):
        site.change(expected=None, now=NOW, address=f"{number}")
    while audit_seal.seal_entries():
        pass
    return site


def refused(statement: str, *parameters) -> bool:
    try:
        with transaction.atomic():
            tampering.do(statement, *parameters)
    except DatabaseError as error:
        return "append-only" in str(error)
    return False


class TestSealing:
    def test_gives_dense_positions_in_the_order_of_writing(self, log):
        rows = list(AuditEntry.objects.order_by("pk").values_list("position", flat=True))
        assert rows == list(range(1, 13))

    def test_hashes_each_entry_over_the_one_before(self, log):
        link = chain.FIRST
        for entry in AuditEntry.objects.order_by("position"):
            content = [getattr(entry, name) for name in chain.COLUMNS]
            link = chain.Link(link.position + 1, chain.hash_of(link, content))
            assert entry.hash == link.hash

    def test_does_nothing_where_nothing_waits(self, log):
        assert jobs.seal_audit_log() is False

    def test_takes_many_in_several_steps(self, log, monkeypatch):
        monkeypatch.setattr(audit_seal, "SEALED_AT_ONCE", 4)
        for number in range(10):
            log.change(expected=None, now=NOW, address=f"again {number}")
        assert [audit_seal.seal_entries() for _ in range(4)] == [True, True, False, False]
        assert audit_proof.verify().last == 22

    def test_that_is_killed_before_the_commit_leaves_all_as_it_was(self, log, monkeypatch):
        log.change(expected=None, now=NOW, address="x")
        real = audit_seal.Head.take_many

        def killed(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(audit_seal.Head, "take_many", killed)
        with pytest.raises(KeyboardInterrupt):
            audit_seal.seal_entries()
        monkeypatch.setattr(audit_seal.Head, "take_many", real)
        assert AuditEntry.objects.filter(position=None).count() == 1
        verdict = audit_proof.verify()
        assert (verdict.intact, verdict.last) == (True, 13)

    def test_that_is_killed_before_the_head_is_noted_is_made_good(self, log, monkeypatch, settings):
        before = settings.AUDIT_HEAD.read_text()
        log.change(expected=None, now=NOW, address="x")
        audit_seal.seal_entries()
        settings.AUDIT_HEAD.write_text(before)
        assert audit_proof.verify().intact
        log.change(expected=None, now=NOW, address="y")
        audit_seal.seal_entries()
        assert json.loads(settings.AUDIT_HEAD.read_text())["position"] == 14

    def test_stops_where_the_end_is_gone(self, log):
        tampering.disarm()
        tampering.do("DELETE FROM accounts_auditentry WHERE position = 12")
        log.change(expected=None, now=NOW, address="x")
        with pytest.raises(Broken, match="entry 12 is missing"):
            audit_seal.seal_entries()

    def test_leaves_a_note_that_contradicts_the_log_as_evidence(self, log, settings):
        settings.AUDIT_HEAD.write_text('{"position": 12, "hash": "' + "a" * 64 + '"}')
        log.change(expected=None, now=NOW, address="x")
        with pytest.raises(Broken, match="does not hold the head"):
            audit_seal.seal_entries()
        assert "a" * 64 in settings.AUDIT_HEAD.read_text()
        assert audit_proof.verify().position == 12


class TestTheDatabase:
    @pytest.mark.parametrize("column", ["actor", "after", "hash", "position", "at"])
    def test_refuses_to_change_a_sealed_entry(self, log, column):
        assert refused(f"UPDATE accounts_auditentry SET {column} = {column} WHERE position = 3")  # noqa: S608 - a list of ours

    def test_refuses_to_change_what_an_unsealed_entry_says(self, log):
        log.change(expected=None, now=NOW, address="x")
        assert refused("UPDATE accounts_auditentry SET actor = 'user:9' WHERE position IS NULL")
        assert refused("DELETE FROM accounts_auditentry WHERE position IS NULL")

    def test_refuses_to_delete(self, log):
        assert refused("DELETE FROM accounts_auditentry WHERE position = 3")
        assert refused("DELETE FROM accounts_auditentry")

    def test_refuses_to_change_a_word_or_a_checkpoint(self, log):
        AuditCheckpoint.objects.create(position=0, hash="0", at=0)
        assert refused("UPDATE accounts_auditword SET value = 'x'")
        assert refused("UPDATE accounts_auditcheckpoint SET hash = '1'")
        assert refused("DELETE FROM accounts_auditcheckpoint")

    def test_has_every_trigger_after_all_migrations(self, db):
        if connection.vendor == "sqlite":
            found = tampering.ask("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit_%%'")
        else:
            found = tampering.ask("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'audit_%%'")
        assert len(found) == 5

    @pytest.mark.django_db(transaction=True)
    def test_lets_itself_be_emptied_as_a_whole(self):
        factories.make_site("S")
        audit_seal.seal_entries()
        call_command("flush", interactive=False, verbosity=0)
        assert not AuditEntry.objects.exists()


class TestKeeping:
    def forget(self, days: int) -> bool:
        return audit.forget_old_entries(now=NOW + timedelta(days=days))

    def test_forgets_nothing_that_is_young_enough(self, log, settings):
        settings.AUDIT_DAYS = 100
        newest = AuditEntry.objects.latest("at").at
        later = (newest - to_micros(NOW)) / 86_400e6
        assert self.forget(int(later) + 99) is False
        assert AuditEntry.objects.count() == 12

    def test_keeps_all_for_ever_where_it_is_told_so(self, log, settings):
        settings.AUDIT_DAYS = 0
        assert self.forget(10_000) is False
        assert AuditEntry.objects.count() == 12

    def test_forgets_what_is_too_old_with_its_words_and_stays_provable(self, log, settings, monkeypatch):
        settings.AUDIT_DAYS = 100
        monkeypatch.setattr(audit, "FORGOTTEN_AT_ONCE", 5)
        newest = AuditEntry.objects.latest("at").at
        days = int((newest - to_micros(NOW)) / 86_400e6) + 101
        log.change(expected=None, now=NOW, address="x")
        assert AuditWord.objects.exists()
        assert self.forget(days) is True
        verdict = audit_proof.verify()
        assert (verdict.intact, verdict.first) == (True, 6), verdict.detail
        assert not AuditWord.objects.exists()
        while self.forget(days):
            audit_seal.seal_entries()
        verdict = audit_proof.verify()
        assert verdict.intact, verdict.detail
        assert AuditCheckpoint.objects.count() == 1
        assert not AuditEntry.objects.filter(position__lte=12).exists()
        assert AuditEntry.objects.filter(action="audit.shortened").exists()


class TestProving:
    def test_tells_the_first_broken_position_in_plain_words(self, log):
        tampering.disarm()
        tampering.do("UPDATE accounts_auditentry SET actor = 'user:9' WHERE position IN (5, 8)")
        verdict = audit_proof.verify()
        assert (verdict.intact, verdict.position, verdict.entries) == (False, 5, 4)
        assert verdict.detail == "entry 5 is not what was sealed: it, or what stands before it, was changed"

    def test_says_where_no_head_is_noted(self, log, settings):
        settings.AUDIT_HEAD.unlink()
        verdict = audit_proof.verify()
        assert (verdict.intact, verdict.noted) == (True, None)

    def test_takes_a_note_that_cannot_be_read_for_a_fault(self, log, settings):
        settings.AUDIT_HEAD.write_text("?")
        assert "cannot be read" in audit_proof.verify().detail

    def test_of_a_log_cut_at_its_end_names_what_is_gone(self, log):
        tampering.disarm()
        tampering.do("DELETE FROM accounts_auditentry WHERE position > 9")
        tampering.do("UPDATE core_head SET last = 9 WHERE name = 'audit'")
        verdict = audit_proof.verify()
        assert verdict.detail.startswith("entries from 10 to 12 are gone")

    def test_that_was_restored_is_accepted_with_a_reason_that_stays(self, log, settings):
        settings.AUDIT_HEAD.write_text('{"position": 40, "hash": "' + "a" * 64 + '"}')
        assert not audit_proof.verify().intact
        audit_seal.accept_head(reason="restored the backup of Monday", now=NOW)
        verdict = audit_proof.verify()
        assert (verdict.intact, verdict.last, verdict.noted) == (True, 13, 13)
        told = json.loads(AuditEntry.objects.get(action="audit.accepted").after)
        assert told["reason"] == "restored the backup of Monday"
        assert told["noted"]["position"] == 40
