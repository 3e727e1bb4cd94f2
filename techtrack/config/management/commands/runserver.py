"""``manage.py runserver``: starts the whole platform, so that gateway, WebSocket and judge run too."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from techtrack.config.server import CannotStart, serve


class Command(BaseCommand):
    """Wraps ``techtrack up --reload``."""

    help = "Starts TechTrack and starts it again when the code changes (techtrack up --reload)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("addrport", nargs="?", default="", help="[address:]port")
        parser.add_argument("--noreload", action="store_true", help="Do not watch the code.")

    def handle(self, *args: Any, **options: Any) -> None:
        host, _, port = options["addrport"].rpartition(":")
        if port and not port.isdigit():
            raise CommandError(f"{options['addrport']} is not a port, nor address:port.", returncode=2)
        try:
            serve(
                host=host or settings.HOST,
                port=int(port or settings.PORT),
                certfile=None,
                keyfile=None,
                reload=not options["noreload"],
                say=self.stdout.write,
            )
        except CannotStart as error:
            raise CommandError(str(error), returncode=2) from None
