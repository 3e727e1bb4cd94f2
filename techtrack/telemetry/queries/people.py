"""What is stored about a person's work with readings."""

from __future__ import annotations

from collections.abc import Iterator

from techtrack.accounts.events import PersonalDataAsked
from techtrack.core.rows import Section, naming
from techtrack.telemetry.models import Correction, QualityMark, StoreRun


def personal_data(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with what the person corrected, judged and started."""
    yield naming(Correction, asked.user_id, "by_id")
    yield naming(QualityMark, asked.user_id, "by_id")
    yield naming(StoreRun, asked.user_id, "by_id")
