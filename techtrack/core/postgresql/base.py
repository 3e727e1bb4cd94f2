"""The database wrapper that Django loads: a connection of the pool that the server has ended is not used."""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Looks at what the pool gives.

    After a restart of the server each connection that the pool had kept would fail the first request that gets it, and
    a client who comes again could get the next one of them. The pool's own check asks the server, each time.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection: Any = super().get_new_connection(conn_params)
        while self.pool and has_ended(connection):
            connection.close()
            # The pool makes another one in its place.
            self.pool.putconn(connection)
            connection = super().get_new_connection(conn_params)
        return connection


def has_ended(connection: Any) -> bool:
    """Tell whether the server has ended an idle connection, without asking it.

    What it has said unasked shows it: nearly always that it has gone. One known to have ended has no socket to look at.
    """
    if connection.closed:
        return True
    unasked = select.poll()
    unasked.register(connection.fileno(), select.POLLIN)
    return bool(unasked.poll(0))
