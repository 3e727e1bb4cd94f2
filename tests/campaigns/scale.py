"""How much of a campaign to run, and from which seed."""

from __future__ import annotations

import os
import random


def scale() -> int:
    """How many times as long as in CI; a night is TECHTRACK_CAMPAIGN=100."""
    return int(os.environ.get("TECHTRACK_CAMPAIGN", "1"))


def new_seed() -> int:
    """Draw the seed of a campaign and print it; TECHTRACK_SEED repeats one."""
    seed = int(os.environ.get("TECHTRACK_SEED") or random.randrange(2**32))
    print(f"TECHTRACK_SEED={seed}")
    return seed
