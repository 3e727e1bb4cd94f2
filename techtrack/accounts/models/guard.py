"""Tables of what stands between a stranger and a session: wrong guesses, allowances, second factors."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role


class LockoutQuerySet(models.QuerySet["Lockout"]):
    """Wrong guesses as a caller may see them."""

    def visible_to(self, access: Access) -> LockoutQuerySet:
        """Administrators for all sites see them all, others none."""
        return self.filter(~Q(failures=0)) if access.allows(Role.ADMIN, None) else self.none()


class Lockout(models.Model):
    """Wrong guesses about one person, or one name that is nobody's, or from one address.

    ``pending`` counts the guesses that are being compared at this moment: they take up room too, so that many at
    once are no more than many in a row.
    """

    # What the guesses have in common, hashed: somebody types a password into the field of the name every day.
    key = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, related_name="+")
    address = models.CharField(max_length=64, blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField()
    failed_at = models.DateTimeField(null=True)
    locked_until = models.DateTimeField(null=True)

    objects = LockoutQuerySet.as_manager()

    class Meta:
        ordering = ["-failed_at", "-pk"]


class Allowance(models.Model):
    """How far somebody has used up what may be asked of one door: the moment at which all of it is there again."""

    name = models.CharField(max_length=100, primary_key=True)
    full_at = models.BigIntegerField()


class SecondFactor(models.Model):
    """The seed of a person's authenticator app; it counts once a code has confirmed it."""

    user = models.OneToOneField("accounts.User", models.CASCADE, primary_key=True, related_name="+")
    sealed = models.TextField()
    made_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    # The step of the last code that was taken: a code that somebody looked at over a shoulder is spent already.
    last_step = models.BigIntegerField(default=0)


class RecoveryCode(models.Model):
    """A code for the day on which the phone is gone; deleted by its use."""

    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]
