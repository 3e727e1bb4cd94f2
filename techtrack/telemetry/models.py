"""The log of readings: one row per committed batch, and how far each consumer has read it."""

from __future__ import annotations

from django.db import models


class Segment(models.Model):
    """One committed batch, packed (see store/encoding.py); rows are only ever added, in order of position.

    ``first_at`` and ``last_at`` are event times in µs, ``first_asset`` and ``last_asset`` the range of asset
    ids: bounds by which a reader skips a segment without opening it.
    """

    pk = models.CompositePrimaryKey("lane", "position")
    lane = models.SmallIntegerField(default=0)
    position = models.BigIntegerField()
    kind = models.SmallIntegerField()
    origin = models.SmallIntegerField()
    received_at = models.DateTimeField()
    readings = models.IntegerField()
    first_at = models.BigIntegerField()
    last_at = models.BigIntegerField()
    first_asset = models.BigIntegerField()
    last_asset = models.BigIntegerField()
    payload = models.BinaryField()


class LogConsumer(models.Model):
    """How far ``name`` has read a lane; moved by conditional UPDATE, which fences out a second reader."""

    pk = models.CompositePrimaryKey("name", "lane")
    name = models.CharField(max_length=32)
    lane = models.SmallIntegerField(default=0)
    position = models.BigIntegerField(default=0)
