"""What the tests of the audit log share: a note of the head of their own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_head(settings, tmp_path):
    settings.AUDIT_HEAD = tmp_path / "audit.head"
