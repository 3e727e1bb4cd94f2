"""Machines and their readings."""

from django.db import models


class Machine(models.Model):
    """A machine."""

    name = models.CharField(max_length=100)


class Reading(models.Model):
    """One reading, one column a parameter."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE)
    timestamp = models.DateTimeField()
    temperature = models.FloatField(null=True)
    pressure = models.FloatField(null=True)
    vibration = models.FloatField(null=True)
    speed = models.FloatField(null=True)
    power = models.FloatField(null=True)

    class Meta:
        unique_together = [("machine", "timestamp")]
