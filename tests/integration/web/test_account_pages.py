"""Pages for accounts, those behind the links of letters included, as a browser without scripts sees them."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from techtrack.accounts import services
from techtrack.accounts.domain import codes
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Membership, SecondFactor, Session, User
from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.core.sealing import seal
from tests.factories import PASSWORD, make_user
from tests.integration.accounts.letters import only, post

NEW = "violet-otter-77"


@pytest.fixture
def browser(db):
    """A browser that nobody is logged in with, and that must send the forms' tokens."""
    return Client(enforce_csrf_checks=True)


def submit(browser, path, **fields):
    """Fill in the form at ``path`` and send it, as a person does."""
    page = browser.get(path)
    assert page.status_code == 200, page.content
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
    assert token is not None
    return browser.post(path, {"csrfmiddlewaretoken": token[1]} | fields)


class TestChangePassword:
    PATH = "/accounts/password/change/"

    def test_keeps_this_browser_and_ends_all_else(self, olga, browser):
        services.start_session(user=olga, address="", device="", now=clock.now())
        browser.force_login(olga)
        assert self.PATH.encode() in browser.get("/").content
        typed = {"current_password": PASSWORD, "password": NEW, "repeated": NEW}
        assert submit(browser, self.PATH, **typed).url == "/"
        assert b"Your password is changed" in browser.get("/").content
        assert Session.objects.get(revoked_at=None).pk == UUID(browser.session["session"])
        assert User.objects.get(pk=olga.pk).check_password(NEW)

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            pytest.param({"current_password": "wrong"}, b"not your password", id="a wrong one"),
            pytest.param({"password": "short", "repeated": "short"}, b"too short", id="a weak one"),
            pytest.param({"repeated": "other"}, b"The two passwords differ", id="a slip"),
        ],
    )
    def test_says_what_is_wrong(self, fields, words, olga, browser):
        browser.force_login(olga)
        good = {"current_password": PASSWORD, "password": NEW, "repeated": NEW}
        assert words in submit(browser, self.PATH, **good | fields).content
        assert User.objects.get(pk=olga.pk).check_password(PASSWORD)

    def test_asks_for_a_code_that_was_shown_too_long_ago(self, olga, browser):
        seed, now = codes.new_seed(), clock.now()
        SecondFactor.objects.create(user=olga, sealed=seal(seed), made_at=now, confirmed_at=now)
        browser.force_login(olga)
        Session.objects.update(auth_time=now - timedelta(hours=1))
        typed = {"current_password": PASSWORD, "password": NEW, "repeated": NEW}
        assert b"Type the code of your authenticator app" in submit(browser, self.PATH, **typed).content
        assert b"the code is wrong" in submit(browser, self.PATH, **typed, otp="no code").content
        assert submit(browser, self.PATH, **typed, otp=codes.code_at(seed, now)).url == "/"
        assert User.objects.get(pk=olga.pk).check_password(NEW)

    def test_is_where_the_admin_leads(self, adam, browser):
        User.objects.filter(pk=adam.pk).update(is_staff=True)
        browser.force_login(adam)
        assert browser.get("/admin/password_change/").url == self.PATH


class TestForgottenPassword:
    def test_leads_from_the_login_to_a_new_password(self, olga, browser):
        assert b'href="/accounts/password/reset/"' in browser.get("/login/").content
        answer = submit(browser, "/accounts/password/reset/", name="olga@example.org")
        assert b"a letter is on its way" in answer.content
        path = only().path
        page = browser.get(path)
        assert page.status_code == 200
        assert b"<b>olga</b>" in page.content
        assert page["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
        assert page["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert submit(browser, path, password=NEW, repeated=NEW).url == "/login/"
        assert b"Your new password is set" in browser.get("/login/").content
        assert submit(browser, "/login/", username="olga", password=NEW).url == "/"

    def test_says_the_same_to_everybody(self, olga, browser):
        answers = [submit(browser, "/accounts/password/reset/", name=name) for name in ("olga", "nobody")]
        told = [re.sub(rb'csrf[^>]*content="[^"]+"', b"", answer.content) for answer in answers]
        assert told[0] == told[1]

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            pytest.param({"password": NEW, "repeated": "other"}, b"The two passwords differ", id="a slip"),
            pytest.param({"password": "short", "repeated": "short"}, b"too short", id="a weak one"),
            pytest.param({}, b"required", id="nothing"),
        ],
    )
    def test_says_what_is_wrong(self, fields, words, olga, browser):
        services.ask_reset(name="olga", address="", now=clock.now())
        assert words in submit(browser, only().path, **fields).content

    @pytest.mark.parametrize("path", ["reset/x/", "reset/a:b:c/"])
    def test_of_a_link_that_is_over_says_so(self, path, browser):
        page = browser.get(f"/accounts/password/{path}")
        assert page.status_code == 404
        assert b"This link is over: it works once" in page.content

    def test_opens_once(self, olga, browser):
        services.ask_reset(name="olga", address="", now=clock.now())
        path = only().path
        submit(browser, path, password=NEW, repeated=NEW)
        assert browser.get(path).status_code == 404

    def test_changes_nothing_without_the_form(self, olga, browser):
        services.ask_reset(name="olga", address="", now=clock.now())
        path = only().path
        assert browser.post(path, {"password": NEW, "repeated": NEW}).status_code == 403
        assert browser.get(path).status_code == 200

    def test_has_a_limit(self, db, browser, settings):
        settings.LIMITS = settings.LIMITS | {"reset": 1}
        submit(browser, "/accounts/password/reset/", name="a")
        answer = submit(browser, "/accounts/password/reset/", name="a")
        assert b"try again later" in answer.content


class TestVerify:
    def test_asks_first_and_then_confirms(self, browser):
        nina = make_user("nina", email_verified_at=None)
        services.ask_to_verify(user=nina, now=clock.now())
        path = only().path
        browser.get(path)
        nina.refresh_from_db()
        # A mail server that looks into the link has changed nothing.
        assert nina.email_verified_at is None
        assert b"is confirmed" in submit(browser, path).content
        nina.refresh_from_db()
        assert nina.email_verified_at is not None

    def test_tells_the_owner_that_the_address_is_anothers(self, browser):
        first, second = (make_user(name, email="one@example.org", email_verified_at=None) for name in ("a", "b"))
        paths = []
        for user in (first, second):
            services.ask_to_verify(user=user, now=clock.now())
            paths.append(only().path)
        submit(browser, paths[0])
        assert b"Another account of yours" in submit(browser, paths[1]).content


class TestInvitation:
    @pytest.fixture
    def path(self, adam, plant):
        roles = {plant.pk: Role.OPERATOR}
        services.invite(by=access_of(adam), email="nina@example.org", roles=roles, now=clock.now())
        return only().path

    def test_makes_an_account_and_logs_it_in(self, path, plant, browser):
        assert b"adam invites you" in browser.get(path).content
        answer = submit(browser, path, username="nina", password=NEW, repeated=NEW)
        assert answer.url == "/"
        nina = User.objects.get(username="nina")
        assert (nina.email, nina.email_verified_at is None) == ("nina@example.org", False)
        assert browser.get("/").context["user"] == nina
        assert Membership.objects.get(user=nina).site == plant
        assert browser.get(path).status_code == 404
        assert post() == []

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            pytest.param({"username": "ADAM"}, b"Somebody else has this", id="a name that is taken"),
            pytest.param({"username": "ni na"}, b"valid username", id="a blank in the name"),
            pytest.param({"password": "short", "repeated": "short"}, b"too short", id="a weak password"),
        ],
    )
    def test_says_what_is_wrong_and_stays_good(self, fields, words, path, browser):
        answer = submit(browser, path, **({"username": "nina", "password": NEW, "repeated": NEW} | fields))
        assert words in answer.content
        assert not User.objects.filter(email="nina@example.org").exists()
        assert submit(browser, path, username="nina", password=NEW, repeated=NEW).url == "/"

    def test_is_accepted_by_who_is_logged_in(self, path, plant, mallory, browser):
        assert submit(browser, "/login/", username="mallory", password=PASSWORD, next=path).url == path
        assert b"Accept as mallory" in browser.get(path).content
        assert submit(browser, path).url == "/"
        assert Membership.objects.get(user=mallory).site == plant

    def test_is_refused_where_registration_is_closed(self, path, browser, settings):
        settings.REGISTRATION = "closed"
        answer = submit(browser, path, username="nina", password=NEW, repeated=NEW)
        assert b"Accounts are made by an administrator here" in answer.content
