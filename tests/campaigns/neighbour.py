"""Another process on the database of a test, which writes what it is told: ``python -m tests.campaigns.neighbour``.

It reads a line of JSON for each write, the name of a writer and what it takes, and answers when that is committed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")
DONE = "done"


class Neighbour:
    """The other process, seen from the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def write(self, writer: str, *arguments: Any) -> None:
        """Let it write, and return when that is committed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([writer, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer == DONE, answer or f"the neighbour ended with status {self._process.wait(timeout=30)}"


@contextmanager
def neighbour() -> Iterator[Neighbour]:
    """Run another process on the database of the test that asks."""
    command = [sys.executable, "-m", "tests.campaigns.neighbour"]
    environment = dict(os.environ) | {"DATABASE_URL": _database_url()}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Neighbour(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


def _database_url() -> str:
    from django.db import connection  # noqa: PLC0415 - the settings come first

    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def rename_type(slug: str, name: str) -> None:
    """Give a type another name."""
    from techtrack.accounts.domain.access import internal  # noqa: PLC0415 - the settings come first
    from techtrack.assets import services  # noqa: PLC0415 - as above
    from techtrack.assets.models import AssetType  # noqa: PLC0415 - as above
    from techtrack.core import clock  # noqa: PLC0415 - as above

    found = AssetType.objects.get(slug=slug)
    services.update_asset_type(asset_type=found, by=internal(), changes={"name": name}, expected=None, now=clock.now())


def learn(code: str) -> None:
    """Register a parameter as a reading does that brings one."""
    from techtrack.assets import services  # noqa: PLC0415 - the settings come first
    from techtrack.core import clock  # noqa: PLC0415 - as above

    services.learn_parameters(codes_by_type={None: {code}}, now=clock.now())


def take_roles(username: str) -> None:
    """Take every role from somebody."""
    from techtrack.accounts import services  # noqa: PLC0415 - the settings come first
    from techtrack.accounts.domain.access import internal  # noqa: PLC0415 - as above
    from techtrack.accounts.models import User  # noqa: PLC0415 - as above
    from techtrack.core import clock  # noqa: PLC0415 - as above

    user = User.objects.get(username=username)
    services.update_user(user=user, by=internal(), changes={"roles": {}}, expected=None, now=clock.now())


WRITERS: dict[str, Callable[..., None]] = {one.__name__: one for one in (rename_type, learn, take_roles)}


def main() -> None:
    """Write until nothing is asked any more."""
    import django  # noqa: PLC0415 - it takes a second, which the parent need not wait for

    django.setup()
    for line in sys.stdin:
        writer, *arguments = json.loads(line)
        WRITERS[writer](*arguments)
        print(DONE, flush=True)


if __name__ == "__main__":
    main()
