"""Whether the time of an answer tells who has an account: ``python -m benchmarks.login_timing``.

Pairs of requests about a known and an unknown name, in turn and in random order, through the whole stack in one
process. What is measured is the time of the processor: on a quiet machine it is what a stranger sees, and on a busy
one it does not drown. Figures: the difference of the medians, and AUC, the chance that a known name takes longer than
an unknown one (0.5: time tells nothing). Status 1 where the medians are further apart than 5 %.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ALLOWED = 0.05
DOORS = {
    "login": ("/api/accounts/login/", 401, lambda name: {"username": name, "password": "something else 77"}),
    "reset": ("/api/accounts/password/reset/", 202, lambda name: {"username": name}),
}


def main() -> int:
    """Measure every door; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.pairs} pairs")
    with tempfile.TemporaryDirectory() as home:
        _begin(Path(home))
        _people(options.pairs)
        dice = random.Random(options.seed)
        apart = [_measure(door, options.pairs, dice) for door in DOORS]
    return int(max(apart) > ALLOWED)


def _begin(home: Path) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
        "PYTHON_DOTENV_DISABLED": "1",
        "TECHTRACK_HOME": str(home),
        "DATABASE_URL": f"sqlite:///{home / 'techtrack.sqlite3'}",
        "TECHTRACK_LIMITS": "login=0,reset=0,letters=0",
        "ALLOWED_HOSTS": "testserver",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _people(count: int) -> None:
    from django.contrib.auth.hashers import make_password

    from techtrack.accounts.models import User

    hashed = make_password("correct horse battery staple")
    people = [
        User(username=f"known{number}", email=f"known{number}@example.org", password=hashed) for number in range(count)
    ]
    User.objects.bulk_create(people)


def _measure(door: str, pairs: int, dice: random.Random) -> float:
    """Print one line about a door; return how far the medians are apart."""
    from rest_framework.test import APIClient

    path, status, body = DOORS[door]
    ask = _asking(APIClient(), path, status, body)
    for number in range(5):
        ask(f"warm{number}", number)
    seconds: dict[str, list[float]] = {"known": [], "nobody": []}
    for number in range(pairs):
        for kind in dice.sample(sorted(seconds), 2):
            seconds[kind].append(ask(f"{kind}{number}", dice.randrange(2**24)))
    known, nobody = (median(seconds[kind]) for kind in ("known", "nobody"))
    longer = sum(one > other for one in seconds["known"] for other in seconds["nobody"])
    apart = abs(known - nobody) / nobody
    print(
        f"{door}: known {known * 1000:.1f} ms, unknown {nobody * 1000:.1f} ms, "
        f"medians {apart:.1%} apart (at most {ALLOWED:.0%}), AUC {longer / pairs**2:.3f}"
    )
    return apart


def _asking(client: Any, path: str, status: int, body: Callable[[str], dict[str, str]]) -> Callable[[str, int], float]:
    def ask(name: str, place: int) -> float:
        # Each from an address of its own: this is about time, not about guessing.
        address = f"10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}"
        began = time.process_time()
        answer = client.post(path, body(name), format="json", REMOTE_ADDR=address)
        took = time.process_time() - began
        assert answer.status_code == status, answer.content
        return took

    return ask


if __name__ == "__main__":
    sys.exit(main())
