"""What tests readings as they arrive."""

from __future__ import annotations

import pytest

from techtrack.environment.jobs import QualityControl
from techtrack.telemetry import services as telemetry


@pytest.fixture
def control(db: None) -> QualityControl:
    """Quality control that follows the log from the beginning."""
    telemetry.begin(consumer="quality")
    return QualityControl()
