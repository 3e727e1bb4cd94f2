"""The forms in which people, sites, sessions and tickets travel."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Membership, Site, User
from techtrack.core.api.fields import NumberField, ResourceSerializer, VisibleField, WholeSerializer

LONGEST_PASSWORD = 1024
LONGEST_TOKEN = 4096
LONGEST_NAME = 254
MOST_ROLES = 1000
ROLES = [(role.value, role.value) for role in Role]


class NotTaken:
    """Refuses a user name that somebody else has, in any case.

    Whether an e-mail address is somebody's is not asked: the answer would tell strangers who is here.
    """

    requires_context = True

    def __call__(self, value: str, field: serializers.Field) -> None:
        instance = getattr(field.parent, "instance", None)
        others = User.objects.exclude(pk=instance.pk) if isinstance(instance, User) else User.objects.all()
        # DRF asks every validator, also about what is too long already; SQLite refuses to compare a novel.
        if 0 < len(value) <= LONGEST_NAME and others.filter(username__iexact=value).exists():
            raise serializers.ValidationError("Somebody else has this already.", code="unique")


class UserNameField(serializers.CharField):
    """A user name in Unicode normal form, so that what looks the same is the same."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=150, validators=[UnicodeUsernameValidator(), NotTaken()], **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return str(User.normalize_username(super().to_internal_value(data)))


class PasswordField(serializers.CharField):
    """A password as it was typed, blanks included; never shown."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_PASSWORD, trim_whitespace=False, write_only=True, **kwargs)


class OneTimeCodeField(serializers.CharField):
    """A code of an authenticator app or a recovery code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, write_only=True, **kwargs)


class RoleSerializer(WholeSerializer, serializers.ModelSerializer):
    """A role at a site, or for all sites where ``site`` is null or left out."""

    site = VisibleField(queryset=Site.objects.all(), allow_null=True, default=None)

    class Meta:
        model = Membership
        fields = ["site", "role"]
        # That one person has one role per site is checked for the whole list.
        validators: list[Any] = []


class PersonSerializer(ResourceSerializer):
    """What every form of a person has."""

    username = UserNameField()
    email = serializers.EmailField(max_length=LONGEST_NAME, allow_blank=True, required=False)

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name"]


class UserSerializer(PersonSerializer):
    """A person as administrators see and write one; ``role`` alone means that role for all sites."""

    roles = RoleSerializer(many=True, source="memberships", required=False, max_length=MOST_ROLES)  # type: ignore[call-arg] # many=True
    role = serializers.ChoiceField(choices=ROLES, write_only=True, required=False)
    password = PasswordField(required=False)
    current_password = PasswordField(required=False, help_text="Needed to change the own password or address.")

    class Meta(PersonSerializer.Meta):
        read_only_fields = ["email_verified_at", "last_login", "date_joined", "version"]
        fields = [
            *PersonSerializer.Meta.fields,
            "is_active",
            "roles",
            "role",
            "password",
            "current_password",
            *read_only_fields,
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Bring both ways of writing roles into one: a role by site, None standing for all sites."""
        if "memberships" in attrs and "role" in attrs:
            raise serializers.ValidationError({"role": ["Write either role or roles."]})
        if "role" in attrs:
            attrs["roles"] = {None: Role(attrs.pop("role"))}
        if "memberships" in attrs:
            attrs["roles"] = roles_by_site(attrs.pop("memberships"))
        return attrs


class MeSerializer(PersonSerializer):
    """The caller's own account."""

    roles = RoleSerializer(many=True, source="memberships", read_only=True)
    password = PasswordField(required=False)
    current_password = PasswordField(required=False, help_text="Needed to change the password or the e-mail address.")
    new_email = serializers.CharField(read_only=True, help_text="One that waits to be verified; empty without any.")

    class Meta(PersonSerializer.Meta):
        read_only_fields = [
            "email_verified_at",
            "new_email",
            "is_active",
            "roles",
            "last_login",
            "date_joined",
            "version",
        ]
        fields = [*PersonSerializer.Meta.fields, "time_zone", "password", "current_password", *read_only_fields]


class RegistrationSerializer(PersonSerializer):
    """Somebody who makes an account."""

    email = serializers.EmailField(max_length=LONGEST_NAME, required=False, help_text="Known of an invitation.")
    invitation = serializers.CharField(max_length=LONGEST_TOKEN, required=False, write_only=True)
    password = PasswordField()
    password2 = PasswordField(required=False, help_text="The password again, to catch a slip of the finger.")

    class Meta(PersonSerializer.Meta):
        fields = [*PersonSerializer.Meta.fields[1:], "invitation", "password", "password2"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.pop("password2", attrs["password"]) != attrs["password"]:
            raise serializers.ValidationError({"password2": ["The two passwords differ."]})
        return attrs


class CredentialsSerializer(serializers.Serializer):
    """A user name or e-mail address, and the password."""

    username = serializers.CharField(max_length=254, write_only=True)
    password = PasswordField()
    otp = OneTimeCodeField(
        required=False,
        help_text="For people with a second factor: the code of their app, or a recovery code. Without it their "
        "right password is answered by 401 `second_factor_required`.",
    )


class PasswordSerializer(serializers.Serializer):
    """The caller's password, as proof."""

    password = PasswordField()


class RefreshSerializer(serializers.Serializer):
    """A refresh token."""

    refresh = serializers.CharField(max_length=LONGEST_TOKEN, write_only=True)


class AccessTokenSerializer(serializers.Serializer):
    """An access token to look at."""

    token = serializers.CharField(max_length=LONGEST_TOKEN, write_only=True)


class TokensSerializer(serializers.Serializer):
    """An access token for ten minutes, and a refresh token to be spent once."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class LoginSerializer(TokensSerializer):
    """Tokens, and whose they are."""

    user = MeSerializer()


class TicketSerializer(serializers.Serializer):
    """What opens the WebSocket once."""

    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")


class SiteSerializer(ResourceSerializer):
    """A place where assets stand."""

    name = serializers.CharField(max_length=200, validators=[UniqueValidator(queryset=Site.objects.all())])
    latitude = NumberField(lowest=-90, highest=90, allow_null=True, required=False)
    longitude = NumberField(lowest=-180, highest=180, allow_null=True, required=False)
    # DRF takes declared fields out of the class: the attribute of that name stays DRF's.
    parent = VisibleField(queryset=Site.objects.all(), allow_null=True, required=False)  # type: ignore[assignment]

    class Meta:
        model = Site
        read_only_fields = ["version", "created_at", "updated_at"]
        fields = ["id", "name", "timezone", "latitude", "longitude", "address", "parent", *read_only_fields]


def roles_by_site(memberships: list[dict[str, Any]]) -> dict[int | None, Role]:
    """Return what a list of roles says; a place that is named twice is an error at its place in ``roles``."""
    roles: dict[int | None, Role] = {}
    for index, membership in enumerate(memberships):
        site = membership["site"].pk if membership["site"] else None
        if site in roles:
            # Empty objects before it, so that the error's place in the list is the item's.
            fault = [*({} for _ in range(index)), {"site": ["This site is named twice."]}]
            raise serializers.ValidationError({"roles": fault})
        roles[site] = Role(membership["role"])
    return roles
