"""Pages for coming and going: log in, log out, and the link that makes the first admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from techtrack.accounts.domain.addresses import address_of
from techtrack.accounts.services import SecondFactorRequired, complete_setup, prove_person
from techtrack.core import clock
from techtrack.core.errors import Invalid, TechTrackError, TooMany, Unauthenticated, Unavailable

WRONG = "User name and password do not match."


class OneTimeCodeField(forms.CharField):
    """A code of an authenticator app, or a recovery code."""

    def __init__(self) -> None:
        super().__init__(label="Code of your authenticator app, if you use one", max_length=64, required=False)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Let the browser know what it is."""
        return super().widget_attrs(widget) | {"autocomplete": "one-time-code", "inputmode": "numeric"}


class LogInForm(AuthenticationForm):
    """Name or e-mail address, password, and a code if there is a second factor; whatever is wrong is told the same."""

    otp = OneTimeCodeField()

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "User name or e-mail address"

    def clean(self) -> dict[str, Any]:
        """Let the service compare what was typed; say so where it does not compare at this moment."""
        typed = {name: self.cleaned_data.get(name) or "" for name in ("username", "password", "otp")}
        if typed["username"] and typed["password"]:
            try:
                self.user_cache = prove_person(**typed, address=_address(self.request), now=clock.now())
            except SecondFactorRequired:
                self.add_error("otp", "Type the code of your authenticator app as well, and the password once more.")
            except Unauthenticated as error:
                raise forms.ValidationError(WRONG) from error
            except (TooMany, Unavailable) as error:
                raise forms.ValidationError(sentence(error)) from error
        return self.cleaned_data


class LogIn(LoginView):
    """The login page."""

    template_name = "web/login.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Begin the browser's session."""
        begin(self.request, form.get_user())
        return HttpResponseRedirect(self.get_success_url())


class LogOut(LogoutView):
    """Ends the browser's session; POST only, so that no picture on another site can do it."""

    next_page = "login"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log out, and have the browser forget what it was shown."""
        response = super().post(request, *args, **kwargs)
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response


class UserNameField(forms.CharField):
    """A user name as Django takes them."""

    default_validators = [UnicodeUsernameValidator()]

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Let the browser know what it is."""
        return super().widget_attrs(widget) | {"autocomplete": "username"}


class PasswordForm(forms.Form):
    """A new password, twice; what makes a good one is decided by the service."""

    password = forms.CharField(label="Password", max_length=4096, strip=False, widget=forms.PasswordInput)
    repeated = forms.CharField(label="Password again", max_length=4096, strip=False, widget=forms.PasswordInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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


class SetupForm(PasswordForm):
    """The first admin."""

    field_order = ["username", "email", "password", "repeated"]
    username = UserNameField(label="User name", max_length=150)
    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"}))


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
            form.add_error(None, sentence(error))
        else:
            begin(request, user)
            return redirect("overview")
    return render(request, "web/setup.html", {"form": form})


def begin(request: HttpRequest, user: Any) -> None:
    """Log ``user``, who has just shown who that is, in with this browser."""
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])


def _address(request: HttpRequest | None) -> str:
    return address_of(request.META if request else {}, behind_proxy=settings.BEHIND_PROXY)


def sentence(error: TechTrackError) -> str:
    """Return what an error says, as people write it."""
    return f"{error.detail[:1].upper()}{error.detail[1:]}."
