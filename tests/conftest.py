"""What every test shares: the database of this run, the cast (plugins/cast.py), a platform (plugins/platform.py)."""

from __future__ import annotations

from tests import servers

# Before anything imports Django's settings: they read the environment once.
servers.arrange()

pytest_plugins = ["tests.plugins.missing", "tests.plugins.configured", "tests.plugins.cast", "tests.plugins.platform"]
