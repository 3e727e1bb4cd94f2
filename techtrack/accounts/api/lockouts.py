"""Who is locked out after wrong guesses, to look through and to clear; for administrators."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services
from techtrack.accounts.api.schema import PersonSchema
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Lockout
from techtrack.core import clock
from techtrack.core.api.fields import MomentField
from techtrack.core.api.filters import FilterSet, FlagFilter, IdFilter
from techtrack.core.api.viewsets import StrictViewSet


class LockoutSerializer(serializers.ModelSerializer):
    """Wrong guesses about a person, about a name that is nobody's (both null), or from an address."""

    username = serializers.CharField(source="user.username", allow_null=True, default=None, read_only=True)
    address = serializers.SerializerMethodField()
    locked = serializers.SerializerMethodField(help_text="Whether even the right password is refused now.")
    failed_at = MomentField(allow_null=True, read_only=True)
    locked_until = MomentField(allow_null=True, read_only=True)

    class Meta:
        model = Lockout
        fields = ["id", "user", "username", "address", "failures", "failed_at", "locked_until", "locked"]
        read_only_fields = fields

    def get_address(self, lockout: Lockout) -> str | None:
        """An address, or of IPv6 a network."""
        return lockout.address or None

    def get_locked(self, lockout: Lockout) -> bool:
        return lockout.locked_until is not None and lockout.locked_until > clock.now()


class LockoutFilter(FilterSet):
    """Lockouts by person, and by whether they hold now."""

    user = IdFilter("user_id")
    locked = FlagFilter(method="by_locked")

    def by_locked(self, rows: Any, _name: str, wanted: bool) -> Any:  # noqa: FBT001 - the signature is django-filter's
        """Keep those that hold, or those that do not."""
        held = rows.filter(locked_until__gt=clock.now())
        return held if wanted else rows.exclude(pk__in=held.values("pk"))


class LockoutViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, StrictViewSet):
    """Wrong guesses and the locks that they brought."""

    door = "accounts"
    schema = PersonSchema()
    queryset = Lockout.objects.select_related("user")
    serializer_class = LockoutSerializer
    filterset_class = LockoutFilter
    ordering_fields = ["failed_at", "failures", "locked_until"]
    ordering = ["-failed_at"]
    http_method_names = ["get", "delete", "head", "options"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        request.auth.require(Role.ADMIN, None)  # type: ignore[union-attr]

    @extend_schema(operation_id="lockouts_destroy", responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let somebody try again at once."""
        services.clear_lockout(lockout=self.get_object(), by=self.request.auth)
        return Response(status=204)
