"""Keeps files that people attach to tasks, and lets go of contents that no task has any more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Sum

from techtrack.accounts.domain.access import Access
from techtrack.core.errors import Forbidden
from techtrack.tasks import queries
from techtrack.tasks.domain.attachments import check, refuse_more
from techtrack.tasks.files import pictures
from techtrack.tasks.files.folder import Draft
from techtrack.tasks.models import Attachment, StoredFile, Task

# Longer than any upload takes, and soon enough for who deletes a file because it must go.
KEPT_UNUSED = timedelta(hours=1)
AT_ONCE = 100
LOOKED_UP = 500


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: what it is called, and of which type it says it is (empty: nothing)."""

    name: str
    declared: str
    content: bytes


def attach(*, task: Task, by: Access, upload: Upload, now: datetime) -> Attachment:
    """Attach a file to a task; of a picture a small one is made.

    Raises:
        UnsafeName, TooLarge, ForbiddenType, AnotherType, UnreadableImage, TooManyPixels, DiskRefuses: see there.
    """
    if not queries.may_comment(by, task):
        raise Forbidden("you may read this task, but not attach files to it")
    found = check(upload.content, name=upload.name, declared=upload.declared)
    picture = pictures.read(upload.content, media_type=found.type) if found.is_image else None
    row = Attachment(
        task=task,
        file_id=hashlib.sha256(upload.content).hexdigest(),
        name=found.name,
        type=found.type,
        size=found.size,
        width=picture.width if picture else None,
        height=picture.height if picture else None,
        created_by_id=by.user_id,
        created_at=now,
        updated_at=now,
    )
    # Before the transaction: on SQLite nobody else could write while the disk does.
    with queries.folder().drafted(upload.content, picture.thumbnail if picture else None) as draft:
        _record(row, draft, now=now)
    return row


@transaction.atomic
def _record(row: Attachment, draft: Draft, *, now: datetime) -> None:
    row.task.hold()
    held = Attachment.objects.filter(task=row.task).aggregate(count=Count("pk"), total=Sum("size"))
    refuse_more(count=held["count"], total=held["total"] or 0, size=row.size)
    # From here to the commit nobody takes the contents away: who would, waits for this row, and finds it in use.
    StoredFile.objects.bulk_create(
        [StoredFile(digest=row.file_id, used_at=now)],
        update_conflicts=True,
        update_fields=["used_at"],
        unique_fields=["digest"],
    )
    draft.keep(row.file_id)
    row.save(force_insert=True)


@transaction.atomic
def detach(*, attachment: Attachment, by: Access, expected: int | None) -> None:
    """Take a file from a task; who attached it may, and who may delete the task.

    Its contents go within some hours, unless another task has the same.
    """
    if attachment.created_by_id != by.user_id and not queries.may_delete(by, attachment.task):
        raise Forbidden("only who attached this file, or may delete the task, may take it away")
    attachment.remove(expected=expected)


def collect(*, now: datetime) -> int:
    """Delete contents that no task has any more, and what uploads that died have left; return how many went."""
    limit = now - KEPT_UNUSED
    queries.folder().sweep(before=limit)
    _adopt(limit)
    loose = StoredFile.objects.filter(used_at__lt=limit).exclude(pk__in=Attachment.objects.order_by().values("file"))
    return sum(_let_go(digest, limit=limit) for digest in list(loose.values_list("pk", flat=True)[:AT_ONCE]))


def _adopt(limit: datetime) -> None:
    """Make rows for contents that have none: their upload died, or was undone, when they had their place already.

    As long unused as those that go: who attaches the same meanwhile says otherwise, or waits for the row.
    """
    found = sorted(queries.folder().digests(before=limit))
    for start in range(0, len(found), LOOKED_UP):
        some = found[start : start + LOOKED_UP]
        known = set(StoredFile.objects.filter(pk__in=some).values_list("pk", flat=True))
        rows = [StoredFile(digest=digest, used_at=limit - KEPT_UNUSED) for digest in some if digest not in known]
        StoredFile.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def _let_go(digest: str, *, limit: datetime) -> bool:
    """Delete contents, unless somebody attaches the same just now."""
    # Waits for who has the row, and sees what that has made of it.
    if not StoredFile.objects.select_for_update().filter(pk=digest, used_at__lt=limit).exists():
        return False
    if Attachment.objects.filter(file=digest).exists():
        return False
    StoredFile.objects.filter(pk=digest).delete()
    # Before the commit, while nobody can bring it back: later, a new file could be deleted for the old one.
    queries.folder().remove(digest)
    return True
