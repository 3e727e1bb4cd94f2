"""``manage.py asyncapi``: writes the document of the live socket."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from techtrack.config.asyncapi import document
from techtrack.core import plain_yaml


class Command(BaseCommand):
    """Prints it, or writes it into a file."""

    help = "Writes the AsyncAPI document of the live socket, as YAML."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, help="where to; printed unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        text = plain_yaml.dump(document())
        if options["file"]:
            options["file"].write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")
