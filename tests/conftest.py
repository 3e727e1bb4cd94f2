"""What every test shares: the database of this run, and in plugins/ the cast, a platform, a mail server."""

from __future__ import annotations

from tests import servers

# Before anything imports Django's settings: they read the environment once.
servers.arrange()

pytest_plugins = [f"tests.plugins.{name}" for name in ("missing", "patience", "configured", "cast", "platform", "post")]
