"""The judge follows the log from the moment the tables are there, not from its own first look."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from django.apps import apps

from techtrack.accounts.domain.access import internal
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert
from techtrack.core.clock import to_micros
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin
from techtrack.telemetry.models import LogConsumer
from tests import factories

MIGRATION = import_module("techtrack.alerts.migrations.0003_judge_follows_from_the_start")

pytestmark = pytest.mark.django_db


class TestTheFirstJudge:
    def test_judges_what_came_before_it_was_there(self, robot, now):
        MIGRATION.follow(apps, None)
        factories.make_rule(parameter="temperature", conditions=[{"kind": "above", "limit": 90.0}])
        batch = Batch(np.array([robot.pk]), np.array([to_micros(now)]), {"temperature": np.array([95.0])})
        telemetry.ingest(batch=batch, by=internal(), now=now, origin=Origin.LIVE)
        Judge().work()
        assert Alert.objects.filter(asset=robot, active=True).count() == 1

    def test_begins_where_the_log_ends_on_a_platform_that_has_one(self, robot, now):
        batch = Batch(np.array([robot.pk]), np.array([to_micros(now)]), {"temperature": np.array([95.0])})
        telemetry.ingest(batch=batch, by=internal(), now=now, origin=Origin.LIVE)
        MIGRATION.follow(apps, None)
        assert set(LogConsumer.objects.filter(name__startswith="judge").values_list("name", "position")) == {
            ("judge", 1),
            ("judge:memory", 1),
        }
