"""What the pages of Django's admin share: services write, and what they refuse is told as a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import BaseModelAdmin
from django.db import IntegrityError, transaction
from django.db.models import CharField, Field, QuerySet
from django.forms import Field as FormField
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from techtrack.core.errors import TechTrackError

HELD = ["version", "created_at", "updated_at"]


class ReadOnly(BaseModelAdmin):
    """Shown, not edited here: the doors that write check, record and announce."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class OptionalWhereFilled(BaseModelAdmin):
    """Lets a form leave out what the table fills: by null, which means "none" or "all", or by a default."""

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> FormField | None:
        field: FormField | None = super().formfield_for_dbfield(db_field, request, **kwargs)
        # A text that is left out arrives as an empty one, so its default would not come.
        filled = db_field.null or (db_field.has_default() and not isinstance(db_field, CharField))
        if field is not None and filled:
            field.required = False
        return field


class GuardedAdmin(OptionalWhereFilled, admin.ModelAdmin):
    """A page of rows that a service deletes; whatever is refused on it is undone and told."""

    def drop(self, instance: Any, by: Any) -> None:
        """Delete it for ``by``; the page has asked for confirmation."""
        raise NotImplementedError

    def caller(self, request: HttpRequest) -> Any:
        """Return the authority of the person at the page, as services take it."""
        person: Any = request.user
        return person.access()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.drop(obj, self.caller(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for instance in queryset:
            self.delete_model(request, instance)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return told(request, partial(super().changeform_view, request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return told(request, partial(super().delete_view, request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return told(request, partial(super().changelist_view, request, *args, **kwargs))


class ServiceAdmin(GuardedAdmin):
    """A page whose forms are written by services as well."""

    readonly_fields = HELD

    def create(self, by: Any, data: dict[str, Any]) -> Any:
        """Create one for ``by``."""
        raise NotImplementedError

    def edit(self, instance: Any, by: Any, changes: dict[str, Any]) -> None:
        """Write ``changes`` for ``by``."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:  # noqa: FBT001 - Django's
        names = form.changed_data if change else list(form.cleaned_data)
        values = {name: self._value(name, form.cleaned_data[name]) for name in names}
        if change:
            # The form has written into obj; what may be changed is decided by what the row is.
            self.edit(self.model._default_manager.get(pk=obj.pk), self.caller(request), values)
        else:
            obj.pk = self.create(self.caller(request), values).pk

    def _value(self, name: str, value: Any) -> Any:
        field = self.model._meta.get_field(name)
        return field.get_default() if value is None and isinstance(field, Field) and not field.null else value


def told(request: HttpRequest, page: Callable[[], HttpResponse]) -> HttpResponse:
    """Answer with a page; where what it writes is refused, nothing is written, and the page says why."""
    try:
        # Of several rows chosen in a list, all are written or none.
        with transaction.atomic():
            return page()
    except TechTrackError as error:
        messages.error(request, error.detail)
    except IntegrityError:
        messages.error(request, "It exists already, or something it needs is gone.")
    return HttpResponseRedirect(request.get_full_path())
