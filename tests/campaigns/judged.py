"""What is before and after a campaign against the judge: ``python -m tests.campaigns.judged begin|finish SEED``."""

from __future__ import annotations

import os
import sys
from importlib import import_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")


def main() -> int:
    """Do it; print what is wrong, and return 3 if something is."""
    import django  # noqa: PLC0415 - the settings come first

    django.setup()
    step, seed = sys.argv[1:]
    found: list[str] = getattr(import_module("tests.campaigns.judging"), step)(int(seed))
    print("\n".join(found))
    return 3 if found else 0


if __name__ == "__main__":
    sys.exit(main())
