"""What tests of alerts share."""

from __future__ import annotations

import pytest

from techtrack.core.auditing import Changed, Denied


@pytest.fixture
def heard(monkeypatch):
    """The facts that were published during the test, without those that are for the audit log alone."""
    facts = []

    def listen(fact):
        if not isinstance(fact, Changed | Denied):
            facts.append(fact)

    monkeypatch.setattr("techtrack.core.events.publish", listen)
    return facts
