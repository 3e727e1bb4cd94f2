"""The things that a visitor may break: which are broken now, as a file between the pages and the feeder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from techtrack.core.errors import NotFound
from techtrack.demo import folder

FILE = "faults.json"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break: its name, what the button says, what then happens, and where to look."""

    name: str
    title: str
    what: str
    look: str


class NoSuchFault(NotFound):
    """Nothing of that name can be broken."""


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "overheat",
            "Overheat the large machine",
            "Its readings come 90 °F hotter than they were measured, every two seconds, each marked by demo_fault = 1.",
            "The alert “Large machine overheats” is raised at once, an e-mail goes out and a task is opened.",
        ),
        Fault(
            "stuck",
            "Jam the inspection station",
            "It sends its last values again and again, every five seconds, as a stuck sensor does.",
            "The chart becomes a flat line, and after a minute the alert “Inspection station is stuck” is raised.",
        ),
        Fault(
            "silent",
            "Silence the gateway",
            "It keeps every reading to itself, as when its line is cut, and sends all of them once it is mended.",
            "Nothing moves any more and the assets grow silent; after mending no reading is missing.",
        ),
    )
}


def broken() -> dict[str, datetime]:
    """Return the names of what is broken now, and since when."""
    try:
        return msgspec.json.decode(folder.file(FILE).read_bytes(), type=dict[str, datetime])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def set_broken(*, name: str, is_broken: bool, now: datetime) -> None:
    """Break or mend one thing.

    Raises:
        NoSuchFault: there is nothing of that name to break.
    """
    if name not in FAULTS:
        raise NoSuchFault(f"nothing here is called {name!r}")
    before = broken()
    after = {**before, name: before.get(name, now)} if is_broken else {k: v for k, v in before.items() if k != name}
    folder.replace(folder.file(FILE), msgspec.json.encode(after))


def mend_all() -> None:
    """Begin with nothing broken."""
    folder.file(FILE).unlink(missing_ok=True)
