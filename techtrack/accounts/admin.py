"""People, sites and keys in Django's admin: its forms, with the promises of the services."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from techtrack.accounts import services
from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import ApiKey, Membership, Site, User
from techtrack.core import clock
from techtrack.core.admin import HELD, GuardedAdmin, OptionalWhereFilled, ReadOnly, ServiceAdmin, told

# Roles at sites decide what people may do; Django's groups would be a second, silent way.
admin.site.unregister(Group)


class MembershipInline(OptionalWhereFilled, admin.TabularInline):
    """The roles of a person; a role without a site is one for all sites."""

    model = Membership
    extra = 1


class NewPasswordForm(AdminPasswordChangeForm):
    """A new password, which ends the sessions of its owner."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - the signature is Django's
        wanted = self.cleaned_data["password1"] if self.cleaned_data["set_usable_password"] else None
        return services.set_password(user=self.user, password=wanted, now=clock.now())


class KeepingAnAdmin(DjangoUserAdmin):
    """Django's forms for people, refusing what would leave nobody to administer."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        _require_recent(request)
        with services.keep_an_admin() if request.method == "POST" else nullcontext():
            return super().changeform_view(request, *args, **kwargs)

    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        def page() -> HttpResponse:
            _require_recent(request)
            return super(KeepingAnAdmin, self).user_change_password(request, *args, **kwargs)

        return told(request, page)


@admin.register(User)
class UserAdmin(GuardedAdmin, KeepingAnAdmin):
    """People, with their roles."""

    inlines = [MembershipInline]
    change_password_form = NewPasswordForm
    list_display = ["username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "memberships__role"]
    readonly_fields = ["email_verified_at", "new_email", "last_login", "date_joined", "version"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email", "email_verified_at", "new_email", "time_zone"]}),
        ("Access", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("History", {"fields": ["last_login", "date_joined", "version"]}),
    ]

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:  # noqa: FBT001 - Django's
        if "email" in form.changed_data:
            # As in the API: an administrator vouches for the addresses of others.
            obj.email_verified_at, obj.new_email = (clock.now() if obj.email else None), ""
        super().save_model(request, obj, form, change)
        if "is_active" in form.changed_data and not obj.is_active:
            # What was logged out so does not come back with the account.
            services.revoke_sessions(user=obj, now=clock.now())

    def drop(self, instance: User, by: Access) -> None:
        services.delete_user(user=instance, by=by, expected=None, now=clock.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        # What goes along with a person is decided by the service, not by who may delete such rows one by one.
        return shown, counts, set(), protected


@admin.register(Site)
class SiteAdmin(ServiceAdmin):
    """Places."""

    list_display = ["name", "timezone", "parent"]
    search_fields = ["name", "address"]
    fields = ["name", "timezone", "latitude", "longitude", "address", "parent", *HELD]

    def create(self, by: Access, data: dict[str, Any]) -> Site:
        return services.create_site(by=by, fields=data, now=clock.now())

    def edit(self, instance: Site, by: Access, changes: dict[str, Any]) -> None:
        services.update_site(site=instance, by=by, changes=changes, expected=None, now=clock.now())

    def drop(self, instance: Site, by: Access) -> None:
        services.delete_site(site=instance, by=by, expected=None, now=clock.now())


@admin.register(Membership)
class MembershipAdmin(ReadOnly, admin.ModelAdmin):
    """Who is what where, to look through; roles are given on the person's page."""

    list_display = ["user", "site", "role"]
    list_filter = ["role", "site"]
    list_select_related = ["user", "site"]


@admin.register(ApiKey)
class ApiKeyAdmin(GuardedAdmin):
    """Keys, to look through and to revoke; they are made through the API, which shows each once."""

    list_display = ["name", "prefix", "scope", "site", "created_by", "expires_at", "last_used"]
    list_filter = ["scope", "site"]
    list_select_related = ["site", "created_by"]
    search_fields = ["name", "prefix"]
    exclude = ["digest"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def drop(self, instance: ApiKey, by: Access) -> None:
        services.revoke_key(key=instance, by=by, expected=None)


def _require_recent(request: HttpRequest) -> None:
    person: Any = request.user
    if request.method == "POST":
        services.require_recent(by=person.access(), now=clock.now())
