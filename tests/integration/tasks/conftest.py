"""Tasks and an alert at the plant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from techtrack.accounts import queries as accounts
from techtrack.accounts.models import User
from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset
from techtrack.tasks import services
from techtrack.tasks.models import Task
from tests import factories


@pytest.fixture
def alert(robot: Asset) -> Alert:
    """A severe alert about the robot."""
    return Alert.objects.create(
        asset=robot, severity="critical", title="Too hot", raised_at=factories.NOW, **factories.STAMPS
    )


@pytest.fixture
def make_task(db: None) -> Callable[..., Task]:
    """``make_task(olga, asset=…)``: a task that olga has made."""

    def make(by: User, **data: Any) -> Task:
        return services.create_task(by=accounts.access_of(by), data={"title": "Look", **data}, now=factories.NOW)

    return make
