"""Where the contents of attachments lie."""

from __future__ import annotations

from typing import BinaryIO

from django.conf import settings

from techtrack.tasks.files.folder import Folder
from techtrack.tasks.models import Attachment


def folder() -> Folder:
    """Return the folder of attachments: beside the database, below nothing that is served."""
    return Folder(settings.HOME / "attachments")


def contents(attachment: Attachment, *, thumbnail: bool = False) -> BinaryIO:
    """Open what a file holds, or the small picture of it.

    Raises:
        FileMissing: it is not there.
    """
    return folder().open(attachment.file_id, thumbnail=thumbnail)
