"""The demo's pages: what to look at, things to break, and the e-mails that were caught."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import User
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.demo import faults, inbox, story
from techtrack.demo.clock import read_state
from techtrack.web.views.page import page


def demo_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Serve ``view(request, access, …)`` in a demo, and nothing at all elsewhere."""
    served = page(view)

    @wraps(view)
    def only_in_demo(request: HttpRequest, **parts: str) -> HttpResponse:
        if not settings.DEMO:
            raise Http404
        return served(request, **parts)

    return only_in_demo


@require_safe
@demo_page
def guide(request: HttpRequest, access: Access) -> HttpResponse:
    """Show what there is to see, the time until the first alarm, and the buttons."""
    now, state = clock.now(), read_state()
    first = state.clock.shows(state.start + story.FIRST_ALARM) if state else None
    by_key = {asset.key: asset for asset in Asset.objects.visible_to(access).exclude(key=None)}
    broken = faults.broken()
    context = {
        "seconds": max(0, int((first - now).total_seconds())) if first and first.year < story.NEVER else None,
        "speed": state.clock.speed if state and state.clock.at(now) < now else 1,
        "meets": state.clock.meets() if state and state.clock.at(now) < now else None,
        "sights": [(sight, by_key[sight.asset]) for sight in story.SIGHTS if sight.asset in by_key],
        "faults": [(fault, broken.get(fault.name)) for fault in faults.FAULTS.values()],
        "may_break": access.allows(Role.OPERATOR, None),
    }
    return render(request, "demo/guide.html", context)


@require_POST
@demo_page
def break_something(request: HttpRequest, access: Access, name: str) -> HttpResponse:
    """Break or, with ``mend``, mend one thing; for operators."""
    access.require(Role.OPERATOR, None)
    mended = "mend" in request.POST
    faults.set_broken(name=name, is_broken=not mended, now=clock.now())
    fault = faults.FAULTS[name]
    messages.success(request, "Mended." if mended else fault.look)
    return redirect("demo")


@require_safe
@demo_page
def mail_list(request: HttpRequest, access: Access) -> HttpResponse:
    """Show the e-mails that were caught."""
    return render(request, "demo/inbox.html", {"mails": inbox.mails(readable=_readable(request, access))})


@require_safe
@demo_page
def one_mail(request: HttpRequest, access: Access, name: str) -> HttpResponse:
    """Show one e-mail."""
    return render(request, "demo/mail.html", {"mail": inbox.mail(name, readable=_readable(request, access))})


def _readable(request: HttpRequest, access: Access) -> Callable[[inbox.Mail], bool]:
    """Tell whose mail may be read: the shift's by anybody with a role, one's own, and by admins all.

    Somebody else's mail may hold a link that sets a new password.
    """
    assert isinstance(request.user, User)  # noqa: S101 - the page has seen to it
    own = {request.user.email.lower()} - {""}
    if access.everywhere or access.at:
        own.add(story.SHIFT)
    all_mail = access.allows(Role.ADMIN, None)
    return lambda mail: all_mail or (bool(mail.to) and {address.lower() for address in mail.to} <= own)
