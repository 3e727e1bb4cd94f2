"""The numbered events that a live client resumes from."""

from __future__ import annotations

from django.db import models


class LiveEvent(models.Model):
    """One event of its topics (names, separated by spaces), in the order in which it became visible."""

    sequence = models.BigIntegerField(primary_key=True)
    topics = models.TextField()
    payload = models.JSONField()
    created_at = models.DateTimeField(db_index=True)
