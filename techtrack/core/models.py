"""What tables of every app share: versions changed by one conditional UPDATE, numbered heads, idempotency."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import connection, models, transaction
from django.db.models import F

from techtrack.core import auditing
from techtrack.core.auditing import Audited
from techtrack.core.errors import NotFound, Stale


class Versioned(models.Model):
    """A row that people edit: its integer ``version`` is its strong ETag, and every write of it is told (auditing).

    What is written past ``save``, ``change``, ``remove`` and the deletion of a queryset is told by whoever does so.
    """

    audited: ClassVar[Audited] = Audited()

    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row as Django does, and tell of it."""
        adding, names = self._state.adding, kwargs.get("update_fields")
        with transaction.atomic(savepoint=False):
            there = None if adding else type(self)._default_manager.select_for_update().filter(pk=self.pk).first()
            super().save(*args, **kwargs)
            if there is not None:
                auditing.tell_changed(self, auditing.image(there, names), auditing.image(self, names))
            elif self.audited.creation:
                auditing.tell_created(self)

    def change(self, *, expected: int | None, now: datetime, **changes: Any) -> Self:
        """Write ``changes`` if the row still has version ``expected`` (None: whatever it has).

        Raises:
            Stale: somebody else was faster.
            NotFound: the row is gone.

        """
        changes["updated_at"] = now
        with transaction.atomic(savepoint=False):
            before = self._write(expected, changes)
            if before is not None:
                self.refresh_from_db()
                auditing.tell_changed(self, before, auditing.image(self, before))
        if before is None:
            self._explain_loss()
        return self

    def hold(self) -> None:
        """Lock the row until commit, against every writer and whoever comes to refer to it.

        Raises:
            NotFound: it is gone.

        """
        rows = type(self)._default_manager.filter(pk=self.pk)
        if not list(rows.select_for_update().values_list("pk", flat=True)):
            raise NotFound("it is gone")

    def audit_site(self) -> int | None:
        """Say at which site the row stands, for whoever may read what is told of it."""
        site: int | None = getattr(self, "site_id", None)
        return site

    def audit_person(self) -> int | None:
        """Say whose the personal columns are."""
        return None

    def audit_personal(self) -> frozenset[str]:
        """Say which columns those are."""
        return self.audited.personal

    def _write(self, expected: int | None, changes: dict[str, Any]) -> dict[str, Any] | None:
        """Write if the row has the ``expected`` version; return what it was, None where nothing was written."""
        rows = type(self)._default_manager.filter(pk=self.pk)
        # As it was read: if nobody wrote meanwhile, that is what it was, and needs no further query.
        before, version = auditing.image(self, changes), self.version
        # The check and the write are one statement: two editors cannot both win.
        if expected in {None, version} and rows.filter(version=version).update(**changes, version=F("version") + 1):
            return before
        if expected == version:
            return None
        if expected is not None:
            rows = rows.filter(version=expected)
        there = rows.select_for_update().first()
        if there is None or not rows.update(**changes, version=F("version") + 1):
            return None
        return auditing.image(there, changes)

    def remove(self, *, expected: int | None) -> None:
        """Delete the row if it still has version ``expected``; raises as ``change`` does."""
        model = type(self)
        if expected is not None:
            # Locks the row as it proves the version, so that the cascade below deletes what was meant.
            claimed = model._default_manager.filter(pk=self.pk, version=expected).update(version=F("version") + 1)
            if not claimed:
                self._explain_loss()
        if not self.audited.cascades:
            auditing.tell_removed(self)
        if not model._default_manager.filter(pk=self.pk).delete()[0]:
            raise NotFound("it is gone already")

    def _explain_loss(self) -> None:
        if type(self)._default_manager.filter(pk=self.pk).exists():
            raise Stale("it was changed by somebody else since you read it")
        raise NotFound("it is gone")


class Head(models.Model):
    """The last number given out of a sequence whose numbers become visible in order.

    Taken at the end of the transaction that uses it: the row lock holds until commit, so a reader that
    sees number n also sees every number below it. (Database sequences do not promise that.)
    """

    _TAKE = """
    INSERT INTO core_head (name, last) VALUES (%s, 1)
    ON CONFLICT (name) DO UPDATE SET last = core_head.last + 1 RETURNING last
    """
    # Of two parameters, the name and how many; or a part of a statement that uses the last number at once.
    TAKE_MANY = """
    INSERT INTO core_head (name, last) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET last = core_head.last + excluded.last RETURNING last
    """
    _HOLD = """
    INSERT INTO core_head (name, last) VALUES (%s, 0)
    ON CONFLICT (name) DO UPDATE SET last = core_head.last RETURNING last
    """
    name = models.CharField(max_length=64, primary_key=True)
    last = models.BigIntegerField(default=0)

    @classmethod
    def take(cls, name: str) -> int:
        """Return the next number of ``name``; call it inside a transaction, as late as possible."""
        with connection.cursor() as cursor:
            cursor.execute(cls._TAKE, [name])
            return int(cursor.fetchone()[0])

    @classmethod
    def take_many(cls, name: str, count: int) -> range:
        """Return the next ``count`` numbers of ``name``, as ``take`` does."""
        with connection.cursor() as cursor:
            cursor.execute(cls.TAKE_MANY, [name, count])
            last = int(cursor.fetchone()[0])
        return range(last - count + 1, last + 1)

    @classmethod
    def hold(cls, name: str) -> int:
        """Return the last number given out, and let nobody take the next before this transaction ends.

        What those have committed who took numbers before is visible then.
        """
        with connection.cursor() as cursor:
            cursor.execute(cls._HOLD, [name])
            return int(cursor.fetchone()[0])

    @classmethod
    def current(cls, name: str) -> int:
        """Return the last number given out, 0 before the first."""
        # Asked for hundreds of times a second; the query builder would cost more than the answer.
        table = connection.ops.quote_name(cls._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT last FROM {table} WHERE name = %s", [name])  # noqa: S608 - the table name is ours
            row = cursor.fetchone()
        return int(row[0]) if row else 0


class IdempotencyRecord(models.Model):
    """The first answer to a write that carried an Idempotency-Key."""

    principal = models.CharField(max_length=64)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["principal", "route", "key"], name="idempotency_key_once"),
        ]

    @classmethod
    def forget(cls, principals: Collection[str], words: Collection[str]) -> None:
        """Remove the answers to ``principals``, and those to others in which one of ``words`` is a text of its own."""
        cls.objects.filter(principal__in=principals).delete()
        marks = [f'"{word}"'.encode() for word in words if word]
        rows = cls.objects.values_list("pk", "body").iterator()
        cls.objects.filter(pk__in=[pk for pk, body in rows if any(mark in bytes(body) for mark in marks)]).delete()
