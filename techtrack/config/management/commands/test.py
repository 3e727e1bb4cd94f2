"""``manage.py test``: runs the pytest suite."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Hands everything to pytest, in a process of its own: the tests choose their database before Django loads."""

    help = "Runs the test suite (pytest); arguments are pytest's."

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(subprocess.call([sys.executable, "-m", "pytest", *argv[2:]], cwd=settings.BASE_DIR))  # noqa: S603 - our own command

    def handle(self, *args: Any, **options: Any) -> None:
        self.run_from_argv(["", "", *args])
