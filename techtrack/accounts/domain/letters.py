"""What the platform writes to people about their accounts: plain words, and a link where there is something to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

SIGNATURE = "This letter was written by TechTrack at {place}. Nobody reads answers to it."


@dataclass(frozen=True, slots=True)
class Letter:
    """A plain text to one address."""

    to: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Where letters are written: ``place`` is the platform's address, to which links lead."""

    place: str

    def verify(self, to: str, *, username: str, key: str) -> Letter:
        """Ask for a sign that the letter has reached the one who gave the address."""
        return self._letter(
            to,
            "Is this your e-mail address?",
            f"The account “{one_line(username)}” is to use this e-mail address. If that is you, please confirm it:",
            f"{self.place}/accounts/verify/{key}/",
            "The link works for three days. If it is not you, do nothing.",
        )

    def taken(self, to: str, *, username: str) -> Letter:
        """Tell the owner of an address that another account is to use it, too."""
        return self._letter(
            to,
            "You have an account already",
            f"Somebody, perhaps you, wants to use this e-mail address for the account “{one_line(username)}”. It is "
            "that of another account of yours, and stays so. If you have forgotten your password, ask for a new one:",
            f"{self.place}/accounts/password/reset/",
            "If it was not you, do nothing: nobody was told that you have an account.",
        )

    def reset(self, to: str, *, username: str, key: str, hours: int) -> Letter:
        """Let somebody set a new password."""
        return self._letter(
            to,
            "Set a new password",
            f"You, or somebody else, asked for a new password of the account “{one_line(username)}”. Set it here:",
            f"{self.place}/accounts/password/reset/{key}/",
            f"The link works once, for {hours} hour{'s' if hours > 1 else ''}. If you did not ask for it, do nothing: "
            "your password stays as it is.",
        )

    def invite(self, to: str, *, inviter: str, key: str, until: datetime) -> Letter:
        """Ask somebody to join."""
        return self._letter(
            to,
            "You are invited",
            f"{one_line(inviter)} invites you to work with TechTrack. Make your account here, or accept with the one "
            "you have:",
            f"{self.place}/accounts/invitation/{key}/",
            f"The link works once, until {until:%Y-%m-%d %H:%M} UTC.",
        )

    def password_changed(self, to: str, *, username: str) -> Letter:
        """Tell somebody of a new password."""
        return self._warning(to, "Your password was changed", f"The account “{one_line(username)}” has a new password.")

    def address_changed(self, to: str, *, username: str) -> Letter:
        """Tell the old address that it is to be replaced."""
        text = f"The account “{one_line(username)}” is to use another e-mail address instead of this one."
        return self._warning(to, "Your e-mail address is being changed", text)

    def _warning(self, to: str, subject: str, text: str) -> Letter:
        advice = "If that was not you, set a new password at once and tell your administrator:"
        return self._letter(to, subject, text, advice, f"{self.place}/accounts/password/reset/")

    def _letter(self, to: str, subject: str, *paragraphs: str) -> Letter:
        text = "\n\n".join([*paragraphs, SIGNATURE.format(place=self.place)])
        return Letter(to, subject, f"{text}\n")


def one_line(text: str, *, most: int = 150) -> str:
    """Return ``text`` on one line: a name cannot add a paragraph, nor an address that looks like ours."""
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return shown.replace("://", ": //")[:most]
