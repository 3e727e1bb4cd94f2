"""Pages for coming and going: log in, log out, and the link that makes the first admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from techtrack.accounts.services import complete_setup
from techtrack.core import clock
from techtrack.core.errors import Invalid, TechTrackError, Unavailable

WRONG = "User name and password do not match."


class LogInForm(AuthenticationForm):
    """Name or e-mail address, and password; whatever is wrong, the answer is the same."""

    error_messages = {"invalid_login": WRONG, "inactive": WRONG}

    def clean(self) -> dict[str, Any]:
        """Compare the password; when too many people log in at once, say so."""
        try:
            return super().clean()
        except Unavailable as error:
            raise forms.ValidationError(_sentence(error)) from error

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "User name or e-mail address"


class LogIn(LoginView):
    """The login page."""

    template_name = "web/login.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True


class LogOut(LogoutView):
    """Ends the browser's session; POST only, so that no picture on another site can do it."""

    next_page = "login"


class SetupForm(forms.Form):
    """The first admin; what makes a good password is decided by the service."""

    username = forms.CharField(label="User name", max_length=150)
    email = forms.EmailField(label="E-mail address")
    password = forms.CharField(label="Password", max_length=4096, strip=False, widget=forms.PasswordInput)
    repeated = forms.CharField(label="Password again", max_length=4096, strip=False, widget=forms.PasswordInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, purpose in {"username": "username", "email": "email"}.items():
            self.fields[name].widget.attrs["autocomplete"] = purpose
        for name in ("password", "repeated"):
            self.fields[name].widget.attrs["autocomplete"] = "new-password"

    def clean_repeated(self) -> str:
        """Refuse a second password that differs from the first."""
        repeated: str = self.cleaned_data["repeated"]
        if repeated != self.cleaned_data.get("password", repeated):
            raise forms.ValidationError("The two passwords differ.")
        return repeated

    def blame(self, error: Invalid) -> None:
        """Show what the service refuses beside the fields that it names."""
        for fault in error.faults:
            name = fault.pointer.strip("/")
            self.add_error(name if name in self.fields else None, fault.detail)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, secret: str) -> HttpResponse:
    """Make the first admin through the link on the console, which works once, and log in."""
    form = SetupForm(request.POST or None)
    if form.is_valid():
        fields = {name: form.cleaned_data[name] for name in ("username", "email", "password")}
        try:
            user = complete_setup(secret=secret, now=clock.now(), **fields)
        except Invalid as error:
            form.blame(error)
        except TechTrackError as error:
            form.add_error(None, _sentence(error))
        else:
            login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
            return redirect("overview")
    return render(request, "web/setup.html", {"form": form})


def _sentence(error: TechTrackError) -> str:
    return f"{error.detail[:1].upper()}{error.detail[1:]}."
