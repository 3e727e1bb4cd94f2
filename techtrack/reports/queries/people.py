"""What is stored about a person's work with reports."""

from __future__ import annotations

from collections.abc import Iterator

from techtrack.accounts.events import PersonalDataAsked
from techtrack.core.rows import Section, naming
from techtrack.reports.models import AirReport


def personal_data(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with the reports that the person drew up or signed; what they say cites people by number."""
    yield naming(AirReport, asked.user_id, "drawn_up_by", "signed_by", hidden={"content"})
