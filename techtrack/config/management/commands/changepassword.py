"""``manage.py changepassword``: Django's, and every session of the person ends."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from techtrack.accounts import services
from techtrack.accounts.models import User
from techtrack.core import clock


class Command(changepassword.Command):
    """Asks for a new password at the console."""

    def handle(self, *args: Any, **options: Any) -> str:
        said = super().handle(*args, **options)
        person = User.objects.get(username=options["username"] or getpass.getuser())
        services.revoke_sessions(user=person, now=clock.now())
        return str(said)
