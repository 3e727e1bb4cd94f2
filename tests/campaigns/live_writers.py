"""Writers of numbered events: ``python -m tests.campaigns.live_writers``, with the database in the environment.

Each of them commits its numbers in order, after random delays, and takes some transactions back. Told to stop, the
process prints what is in the table: for each event its number in the one sequence, its writer and its number there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

TAKEN_BACK = 0.1


def write(writer: int, options: argparse.Namespace, stop: threading.Event) -> None:
    """Record one event after the other."""
    from django.db import connections, transaction  # noqa: PLC0415 - the settings come first

    dice, number = random.Random(f"{options.seed} {writer}"), 0
    while not stop.is_set():
        try:
            record = early if options.plant else in_order
            record(writer, number, dice, options.delay)
            number += 1
        except TakenBack:
            pass
        time.sleep(dice.uniform(0, options.delay))
    assert not transaction.get_connection().in_atomic_block
    connections.close_all()


class TakenBack(Exception):
    """The transaction is not to be committed."""


def in_order(writer: int, number: int, dice: random.Random, delay: float) -> None:
    """Record an event as services do, in a transaction that takes its time before and after."""
    from django.db import transaction  # noqa: PLC0415 - the settings come first

    from techtrack.core import clock  # noqa: PLC0415 - as above
    from techtrack.live import services  # noqa: PLC0415 - as above

    with transaction.atomic():
        time.sleep(dice.uniform(0, delay))
        services.record(topics=topics(writer), payload=payload(writer, number), now=clock.now())
        time.sleep(dice.uniform(0, delay))
        if dice.random() < TAKEN_BACK:
            raise TakenBack


def early(writer: int, number: int, dice: random.Random, delay: float) -> None:
    """The planted bug: the number is taken as from a sequence of the database, and becomes visible some time later."""
    from django.db import transaction  # noqa: PLC0415 - the settings come first

    from techtrack.core import clock, events  # noqa: PLC0415 - as above
    from techtrack.core.models import Head  # noqa: PLC0415 - as above
    from techtrack.live.events import EventRecorded  # noqa: PLC0415 - as above
    from techtrack.live.models import LiveEvent  # noqa: PLC0415 - as above
    from techtrack.live.queries import HEAD  # noqa: PLC0415 - as above

    sequence = Head.take(HEAD)
    time.sleep(dice.uniform(0, delay))
    with transaction.atomic():
        LiveEvent.objects.create(
            sequence=sequence,
            topics=" ".join(topics(writer)),
            payload=payload(writer, number),
            created_at=clock.now(),
        )
        events.publish(EventRecorded(sequence=sequence))


def topics(writer: int) -> list[str]:
    """The topics of a writer: that of its site; of some, another one too."""
    return [f"sites/{writer}/alerts", "sites/0/alerts"] if writer % 2 else [f"sites/{writer}/alerts"]


def payload(writer: int, number: int) -> dict[str, object]:
    """What an event of a writer tells."""
    return {"type": "alert", "event": "raised", "alert": {"asset": writer, "number": number}}


def committed() -> list[tuple[int, int, int]]:
    """Return what is in the table, in order: sequence, writer, number."""
    from techtrack.live.models import LiveEvent  # noqa: PLC0415 - the settings come first

    rows = LiveEvent.objects.order_by("sequence").values_list("sequence", "payload")
    return [(sequence, told["alert"]["asset"], told["alert"]["number"]) for sequence, told in rows]


def main() -> None:
    """Write until stdin is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", required=True)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--delay", type=float, default=0.05)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()

    import django  # noqa: PLC0415 - the settings come first

    django.setup()
    from techtrack.live.bus import bus  # noqa: PLC0415 - as above

    bus.open()
    stop = threading.Event()
    threads = [threading.Thread(target=write, args=(one, options, stop)) for one in range(1, options.writers + 1)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    bus.close()
    print(json.dumps(committed()), flush=True)


if __name__ == "__main__":
    main()
