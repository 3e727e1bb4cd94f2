"""The database wrapper that Django loads: a transaction that writes waits for its turn in this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.backends.sqlite3.operations import DatabaseOperations as SqliteOperations

from techtrack.core.turns import Neighbours, Turns

# As long as SQLite itself would wait, unless the settings say otherwise.
USUAL_TIMEOUT = 5.0
_turns: defaultdict[str, Turns] = defaultdict(Turns)
_neighbours = cache(Neighbours)


class DatabaseOperations(SqliteOperations):
    """Empties the numbered heads before all other tables: as long as they stand, a trigger keeps the audit log."""

    def sql_flush(self, style: Any, tables: Sequence[str], **kwargs: Any) -> list[str]:
        first = ["DELETE FROM core_head;"] if "core_head" in tables else []
        return [*first, *super().sql_flush(style, tables, **kwargs)]


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes a turn before BEGIN IMMEDIATE and gives it back at the end of the transaction.

    Without it those who wait sleep and try again, and the gateway's 99th percentile was three times as long
    (docs/decisions/0011-gateway.md). Processes that serve together take turns by TURN_FILE; all others are met as
    before, by SQLite's own lock.
    """

    ops_class = DatabaseOperations
    transaction_mode: str | None
    _turn: Turns | None = None
    _neighbours: Neighbours | None = None

    def _start_transaction_under_autocommit(self) -> None:
        if self.transaction_mode in {"IMMEDIATE", "EXCLUSIVE"}:
            turns = _turns[str(self.settings_dict["NAME"])]
            # Whose turn never comes goes on without it: SQLite then says that it is locked.
            if turns.enter(timeout=self.settings_dict["OPTIONS"].get("timeout", USUAL_TIMEOUT)):
                self._turn = turns
        try:
            # The turn inside first: of a process one thread stands in the line outside.
            if self._turn is not None and (path := self.settings_dict.get("TURN_FILE")):
                neighbours = _neighbours(path)
                neighbours.enter()
                self._neighbours = neighbours
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        # Where it fails the transaction is still open, until it is rolled back.
        super()._commit()  # type: ignore[misc]
        self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        neighbours, self._neighbours = self._neighbours, None
        if neighbours is not None:
            neighbours.leave()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.leave()
