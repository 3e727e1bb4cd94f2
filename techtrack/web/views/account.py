"""Pages for accounts: a new password, and behind the links of letters setting one, joining, confirming an address.

They work in any browser. A GET changes nothing: mail servers open every link in a letter to see whether it is harmful.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from techtrack.accounts import services
from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.addresses import address_of
from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.core.errors import Invalid, NotFound, TechTrackError
from techtrack.web.views.page import page
from techtrack.web.views.session import OneTimeCodeField, PasswordForm, UserNameField, begin, sentence


class LinkOver(NotFound):
    """A link does not lead anywhere any more."""

    code = "link_over"


class NameForm(forms.Form):
    """Who has forgotten a password."""

    name = forms.CharField(label="User name or e-mail address", max_length=254)


class ChangePasswordForm(PasswordForm):
    """A new password, the one of now, and a code where a second factor was shown too long ago."""

    field_order = ["current_password", "password", "repeated", "otp"]
    otp = OneTimeCodeField()
    current_password = forms.CharField(
        label="The password you have now",
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class JoinForm(PasswordForm):
    """A new account; its address is known of the invitation."""

    field_order = ["username", "password", "repeated"]
    username = UserNameField(label="User name", max_length=150)

    def clean_username(self) -> str:
        """Refuse a name that somebody has, as the API does."""
        username: str = User.normalize_username(self.cleaned_data["username"])
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError("Somebody else has this user name already.")
        return username


def link_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Serve the page behind a link; one that is not valid any more leads to nothing, which says so."""

    @never_cache
    @sensitive_post_parameters()
    @sensitive_variables()
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def served(request: HttpRequest, **parts: Any) -> HttpResponse:
        try:
            return view(request, **parts)
        except services.LinkNotValid as error:
            raise LinkOver("This link is over: it works once, and for a limited time. Ask for a new one.") from error

    return served


@page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def change_password(request: HttpRequest, access: Access) -> HttpResponse:
    """Change one's own password; every other session ends."""
    form = ChangePasswordForm(request.POST or None)
    if form.is_valid() and _try(form, lambda: _change_password(request, access, form.cleaned_data)):
        messages.success(request, "Your password is changed. Everywhere else you are logged out.")
        return redirect("overview")
    return render(request, "web/change_password.html", {"form": form})


@link_page
def ask_reset(request: HttpRequest) -> HttpResponse:
    """Ask for a letter; what is answered does not tell whether the name is anybody's."""
    form = NameForm(request.POST or None)
    done = form.is_valid() and _try(
        form,
        lambda: services.ask_reset(
            name=form.cleaned_data["name"],
            address=address_of(request.META, behind_proxy=settings.BEHIND_PROXY),
            now=clock.now(),
        ),
    )
    return render(request, "web/ask_reset.html", {"form": form, "done": done})


@link_page
def reset(request: HttpRequest, key: str) -> HttpResponse:
    """Set a new password by the link of a letter."""
    person, form = services.read_reset(key=key, now=clock.now()), PasswordForm(request.POST or None)
    if form.is_valid() and _try(
        form, lambda: services.confirm_reset(key=key, password=form.cleaned_data["password"], now=clock.now())
    ):
        messages.success(request, "Your new password is set. Log in with it.")
        return redirect("login")
    return render(request, "web/reset.html", {"form": form, "person": person})


@link_page
def verify(request: HttpRequest, key: str) -> HttpResponse:
    """Ask whether the address is the reader's, and note that it is."""
    done, refusal = False, ""
    if request.method == "POST":
        try:
            services.verify(key=key, now=clock.now())
            done = True
        except services.AddressTaken as error:
            refusal = sentence(error)
    return render(request, "web/verify.html", {"done": done, "refusal": refusal})


@link_page
def join(request: HttpRequest, key: str) -> HttpResponse:
    """Make an account by an invitation, or accept it as who is logged in here."""
    invitation = services.read_invitation(key=key, now=clock.now())
    form = JoinForm(request.POST if "username" in request.POST else None)
    if isinstance(request.user, User) and request.method == "POST":
        services.accept_as(key=key, by=access_of(request.user), now=clock.now())
        messages.success(request, "You have accepted the invitation.")
        return redirect("overview")
    if form.is_valid() and _try(form, lambda: _join(request, form, key)):
        return redirect("overview")
    return render(request, "web/join.html", {"form": form, "invitation": invitation})


def _join(request: HttpRequest, form: JoinForm, key: str) -> None:
    username, password = form.cleaned_data["username"], form.cleaned_data["password"]
    user = services.make_account(profile={"username": username}, password=password, invitation=key, now=clock.now())
    begin(request, user)


def _change_password(request: HttpRequest, access: Access, typed: dict[str, Any]) -> None:
    changes = {name: typed[name] for name in ("current_password", "password")}
    user, now = User.objects.get(pk=access.user_id), clock.now()
    if typed["otp"]:
        services.reauthenticate(user=user, by=access, password=changes["current_password"], otp=typed["otp"], now=now)
    services.update_user(user=user, by=access, changes=changes, expected=None, now=now)
    update_session_auth_hash(request, user)


def _try(form: forms.Form, work: Callable[[], object]) -> bool:
    """Do ``work``; where it is refused, say so in the form. A link that is not valid is another page's business."""
    try:
        work()
    except services.LinkNotValid:
        raise
    except services.ReauthenticationRequired:
        form.add_error("otp", "Type the code of your authenticator app as well.")
        return False
    except Invalid as error:
        form.blame(error) if isinstance(form, PasswordForm) else form.add_error(None, sentence(error))
        return False
    except TechTrackError as error:
        form.add_error(None, sentence(error))
        return False
    return True
