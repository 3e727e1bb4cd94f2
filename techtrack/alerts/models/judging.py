"""Tables of what the judge knows."""

from __future__ import annotations

from django.db import models


class RuleState(models.Model):
    """Where (rule, asset) stands in its lifecycle; written only when that changes, with the judge's cursor.

    Times are event times in µs. ``clause`` is the index of the condition that holds, ``lag`` how late (µs) its
    samples arrived. ``made_of`` tells whether the rule has been edited since.
    """

    rule = models.ForeignKey("alerts.Rule", models.CASCADE, related_name="+")
    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    phase = models.CharField(max_length=12)
    since = models.BigIntegerField()
    seen = models.BigIntegerField()
    clause = models.SmallIntegerField(null=True)
    value = models.FloatField(null=True)
    lag = models.BigIntegerField(default=0)
    made_of = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "asset"], name="one_state_per_rule_and_asset")]


class RuleFault(models.Model):
    """Why a rule is not judged, and since when; the judge says so, and takes it back."""

    # Nothing in the database holds it to its rule: the judge must not wait for somebody who deletes that.
    rule = models.OneToOneField(
        "alerts.Rule", models.CASCADE, primary_key=True, related_name="fault", db_constraint=False
    )
    detail = models.TextField()
    since = models.DateTimeField()


class JudgeMemory(models.Model):
    """What the judge had seen of each series at a position of the log: a blob, saved now and then."""

    name = models.CharField(max_length=32, primary_key=True)
    position = models.BigIntegerField()
    seen = models.BinaryField()
