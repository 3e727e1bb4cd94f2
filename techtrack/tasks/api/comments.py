"""What people say about a task, as a resource below it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from techtrack.core import clock
from techtrack.core.api.fields import ResourceSerializer
from techtrack.tasks import services
from techtrack.tasks.api.of_task import OfTaskViewSet
from techtrack.tasks.models import Comment


class TaskCommentSerializer(ResourceSerializer):
    """What somebody said; ``@name`` tells whoever is called so and may see the task."""

    mentions = serializers.ListField(
        source="mentioned", child=serializers.IntegerField(), read_only=True, help_text="Who was told of it."
    )

    class Meta:
        model = Comment
        fields = ["id", "task", "author", "text", "mentions", "created_at", "updated_at", "version"]
        read_only_fields = ["task", "author", "created_at", "updated_at", "version"]


class CommentViewSet(OfTaskViewSet):
    """Comments, the oldest first; they are their authors' to change."""

    queryset = Comment.objects.prefetch_related("mention_rows")
    serializer_class = TaskCommentSerializer
    ordering_fields = ["created_at", "updated_at"]
    ordering = ["created_at", "id"]
    search_fields = ["text"]

    def add(self, data: dict[str, Any]) -> Comment:
        return services.add_comment(task=self.task, by=self.request.auth, text=data["text"], now=clock.now())

    def edit(self, instance: Comment, data: dict[str, Any], expected: int | None) -> Comment:
        text = data.get("text", instance.text)
        return services.edit_comment(
            comment=instance, by=self.request.auth, text=text, expected=expected, now=clock.now()
        )

    def drop(self, instance: Comment, expected: int | None) -> None:
        services.delete_comment(comment=instance, by=self.request.auth, expected=expected)
