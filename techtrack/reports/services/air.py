"""Writes reports on the air: drawn up, drawn up anew, signed; a signed one never changes."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import User
from techtrack.core.errors import Conflict, Forbidden
from techtrack.reports.domain.canonical import checksum
from techtrack.reports.models import AirReport, State
from techtrack.reports.queries import Asked, drawn


class ReportExists(Conflict):
    """The site has such a report already that nobody has signed."""

    code = "report_exists"


class AlreadySigned(Conflict):
    """The report is signed, and is kept as it is."""

    code = "report_signed"


class NotComplete(Conflict):
    """The period is not over, or was not when the report was drawn up."""

    code = "period_not_over"


class OtherContent(Conflict):
    """The report is no longer what the signer has read."""

    code = "other_checksum"


def draw_up(*, asked: Asked, by: Access, now: datetime) -> AirReport:
    """Draw up a report; an engineer at the site may.

    Raises:
        ReportExists: there is a preliminary one of the same: draw that up anew.
    """
    by.require(Role.ENGINEER, asked.site.pk)
    # It takes a second or more, and nobody else is to wait for that.
    content = drawn(asked, now=now)
    try:
        with transaction.atomic():
            return AirReport.objects.create(
                site=asked.site,
                period=str(asked.period),
                limits=asked.limits.name,
                standard=asked.standard.name,
                content=content,
                checksum=checksum(content),
                drawn_up_at=now,
                drawn_up_by_id=by.user_id or None,
                created_at=now,
                updated_at=now,
            )
    except IntegrityError as error:
        raise ReportExists("there is a preliminary report of this already: draw that up anew") from error


def refresh_report(*, report: AirReport, asked: Asked, by: Access, expected: int | None, now: datetime) -> AirReport:
    """Draw a preliminary report up anew, of the readings as they are now.

    Raises:
        AlreadySigned: it is kept as it is.
    """
    by.require(Role.ENGINEER, report.site_id)
    _refuse_signed(report)
    content = drawn(asked, now=now)
    with transaction.atomic():
        _hold_preliminary(report)
        return report.change(
            expected=expected,
            now=now,
            content=content,
            checksum=checksum(content),
            drawn_up_at=now,
            drawn_up_by_id=by.user_id or None,
        )


@transaction.atomic
def sign_report(*, report: AirReport, read: str, by: Access, now: datetime) -> AirReport:
    """Sign a report; a person who is engineer at the site may. ``read`` is the checksum of what was read.

    Raises:
        Forbidden: a key is no person.
        AlreadySigned: it is signed.
        OtherContent: it says something else by now, or was changed past the platform.
        NotComplete: its period was not over.
    """
    require_person(by=by)
    by.require(Role.ENGINEER, report.site_id)
    _hold_preliminary(report)
    report.refresh_from_db()
    if report.checksum != read or checksum(report.content) != read:
        raise OtherContent("the report is not what you have read: read it again")
    if not report.content["complete"]:
        raise NotComplete("its period was not over when it was drawn up: draw it up anew once it is")
    person = User.objects.get(pk=by.user_id)
    return report.change(
        expected=None,
        now=now,
        state=State.SIGNED,
        signed_at=now,
        signed_by_id=person.pk,
        signer=person.get_full_name() or person.username,
    )


def require_person(*, by: Access) -> None:
    """Pass a person.

    Raises:
        Forbidden: a key is none, whosever it is.
    """
    if by.scope is not None or not by.user_id:
        raise Forbidden("a report is signed by a person")


@transaction.atomic
def delete_report(*, report: AirReport, by: Access, expected: int | None) -> None:
    """Delete a preliminary report.

    Raises:
        AlreadySigned: it is kept.
    """
    by.require(Role.ENGINEER, report.site_id)
    _hold_preliminary(report)
    report.remove(expected=expected)


@transaction.atomic
def forget_person(*, user_id: int) -> None:
    """Take the name of a person whose account goes off what that person signed; what it says, and when, stays."""
    AirReport.objects.filter(signed_by=user_id).update(signer="(erased)")


def _hold_preliminary(report: AirReport) -> None:
    # Who signs and who draws up anew queue here: what is signed by then is left alone.
    held = AirReport.objects.select_for_update().filter(pk=report.pk).first()
    if held is not None:
        _refuse_signed(held)


def _refuse_signed(report: AirReport) -> None:
    if report.state == State.SIGNED:
        raise AlreadySigned("the report is signed, and is kept as it is")
