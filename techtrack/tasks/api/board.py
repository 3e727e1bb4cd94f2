"""Where a task goes on the board, as a request says it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from techtrack.core.api.fields import ChoiceField, VisibleField, WholeSerializer
from techtrack.tasks.models import State, Task


class MoveSerializer(WholeSerializer):
    """Where a task goes on the board: beside another one, or to the end."""

    state = ChoiceField(choices=State.choices, required=False, help_text="The column, if it is another one.")
    before = VisibleField(queryset=Task.objects.all(), required=False, help_text="The task that comes to stand below.")
    after = VisibleField(queryset=Task.objects.all(), required=False, help_text="The task that comes to stand above.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse two neighbours, which need not stand side by side."""
        if {"before", "after"} <= attrs.keys():
            raise serializers.ValidationError({"after": "Name one neighbour, not two."}, code="invalid")
        return {"state": None, "before": None, "after": None, **attrs}
