"""The people one works with: to assign work to, and to share it."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from rest_framework import mixins, serializers

from techtrack.accounts.models import User
from techtrack.core.api.viewsets import StrictViewSet


class PersonNameSerializer(serializers.ModelSerializer):
    """Who somebody is, and nothing else."""

    name = serializers.SerializerMethodField(help_text="The full name, or the user name where there is none.")

    class Meta:
        model = User
        fields = ["id", "username", "name"]
        read_only_fields = fields

    def get_name(self, user: User) -> str:
        """Return what people call the person."""
        return user.get_full_name() or user.username


class PeopleViewSet(mixins.ListModelMixin, StrictViewSet):
    """Active people who share a site with the caller, and the caller."""

    queryset = User.objects.all()
    serializer_class = PersonNameSerializer
    ordering_fields: ClassVar[list[str]] = ["username", "last_name", "first_name"]
    ordering = ["username"]
    search_fields = ["username", "first_name", "last_name"]

    def get_queryset(self) -> QuerySet:
        """Those whom the caller may know of."""
        return User.objects.known_to(self.request.auth)
