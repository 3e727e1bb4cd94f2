"""What a task waits for, as a resource below it: each goes by the id of the task that is waited for."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from techtrack.core import clock
from techtrack.core.api.fields import ResourceSerializer, VisibleField
from techtrack.tasks import services
from techtrack.tasks.api.of_task import OfTaskViewSet
from techtrack.tasks.models import Block, State, Task


class BlockSerializer(ResourceSerializer):
    """A task that is waited for: until it is done or cancelled. Of one that you may not see there is its id alone."""

    task = VisibleField(source="blocker", queryset=Task.objects.all())
    title = serializers.CharField(source="blocker.title", read_only=True, allow_null=True)
    state = serializers.ChoiceField(source="blocker.state", choices=State.choices, read_only=True, allow_null=True)
    due_date = serializers.DateTimeField(source="blocker.due_date", read_only=True, allow_null=True)

    class Meta:
        model = Block
        fields = ["task", "title", "state", "due_date", "created_by", "created_at", "updated_at", "version"]
        read_only_fields = ["created_by", "created_at", "updated_at", "version"]
        # What the constraints forbid, the service says in words.
        validators: ClassVar[list[Any]] = []

    def to_representation(self, instance: Block) -> dict[str, Any]:
        told = super().to_representation(instance)
        return told if instance.seen else told | {"title": None, "state": None, "due_date": None}


class BlockViewSet(OfTaskViewSet):
    """The tasks that this one waits for."""

    http_method_names = ["get", "post", "delete", "head", "options"]
    queryset = Block.objects.select_related("blocker")
    serializer_class = BlockSerializer
    ordering_fields = ["created_at"]
    ordering = ["created_at", "id"]

    def row(self, pk: int) -> Any:
        found = self.get_queryset().filter(blocker=pk).first()
        if found is not None:
            found.task = self.task
        return found

    def add(self, data: dict[str, Any]) -> Block:
        return services.block(task=self.task, blocker=data["blocker"], by=self.request.auth, now=clock.now())

    def drop(self, instance: Block, expected: int | None) -> None:
        services.unblock(row=instance, by=self.request.auth, expected=expected)

    def fresh(self, instance: Any) -> Any:
        return self.get_serializer(instance).data

    def located(self, instance: Any) -> int:
        return int(instance.blocker_id)
