"""Parquet, Zstandard-compressed: times as timestamps in UTC, absent values as nulls.

The library pulls batches and pushes bytes, and an answer pulls bytes: so the library runs in a thread of its own
between two queues. It touches no database; the readings are read where the answer is sent.
"""

from __future__ import annotations

import io
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from techtrack.telemetry.files.tables import Block, Cells, Column, Type, numbers_or

if TYPE_CHECKING:
    from arro3.core import DataType, RecordBatch, Schema

ROW_GROUP = 100_000
PATIENCE = 0.2


class _Abandoned(Exception):
    """Nobody wants the file any more."""


def write(columns: Sequence[Column], blocks: Iterable[Block]) -> Iterator[bytes]:
    """Give the file as it grows; closing it ends the thread."""
    schema = _schema(columns)
    pipe = _Pipe()
    writer = threading.Thread(target=pipe.run, args=(schema,), name="parquet", daemon=True)
    writer.start()
    try:
        for block in blocks:
            pipe.put(_batch(schema, columns, block))
            yield pipe.taken()
        pipe.put(None)
        writer.join()
        pipe.check()
        yield pipe.taken()
    finally:
        pipe.abandon()
        writer.join()


class _Pipe(io.RawIOBase):
    """Batches in at one end, bytes out at the other."""

    def __init__(self) -> None:
        self._batches: queue.Queue[RecordBatch | None] = queue.Queue(maxsize=1)
        self._bytes: deque[bytes] = deque()
        self._error: BaseException | None = None
        self._ended, self._abandoned = threading.Event(), threading.Event()

    def run(self, schema: Schema) -> None:
        """Write all batches (in the thread)."""
        from arro3.core import RecordBatchReader  # noqa: PLC0415 - an optional library
        from arro3.io import write_parquet  # noqa: PLC0415

        reader = RecordBatchReader.from_batches(schema, self._each())
        try:
            write_parquet(reader, cast("IO[bytes]", self), compression="zstd(3)", max_row_group_size=ROW_GROUP)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is sent
            self._error = error
        finally:
            self._ended.set()

    def put(self, batch: RecordBatch | None) -> None:
        """Hand over a batch, None for the end."""
        while True:
            self.check()
            try:
                return self._batches.put(batch, timeout=PATIENCE)
            except queue.Full:
                continue

    def check(self) -> None:
        """Raise what went wrong in the thread."""
        if self._error is not None:
            raise self._error

    def taken(self) -> bytes:
        """Take what was written since."""
        return b"".join(self._bytes.popleft() for _ in range(len(self._bytes)))

    def abandon(self) -> None:
        """Let the thread end, whatever it is doing."""
        self._abandoned.set()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._bytes.append(bytes(data))
        return len(data)

    def _each(self) -> Iterator[RecordBatch]:
        while True:
            if self._abandoned.is_set():
                raise _Abandoned
            try:
                batch = self._batches.get(timeout=PATIENCE)
            except queue.Empty:
                continue
            if batch is None:
                return
            yield batch


def _schema(columns: Sequence[Column]) -> Schema:
    from arro3.core import Field, Schema  # noqa: PLC0415 - an optional library

    kinds = _kinds()
    return Schema([Field(column.name, kinds[column.type], nullable=True) for column in columns])


def _kinds() -> dict[Type, DataType]:
    from arro3.core import DataType  # noqa: PLC0415 - an optional library

    return {
        Type.INTEGER: DataType.int64(),
        Type.TIME: DataType.timestamp("us", tz="UTC"),
        Type.NUMBER: DataType.float64(),
        Type.TEXT: DataType.string(),
    }


def _batch(schema: Schema, columns: Sequence[Column], block: Block) -> RecordBatch:
    from arro3.core import Array, RecordBatch  # noqa: PLC0415 - an optional library

    arrays = [
        Array(_cells(column.type, part), type=_plain(column.type)).cast(_kinds()[column.type])
        for column, part in zip(columns, block, strict=True)
    ]
    return RecordBatch.from_arrays(arrays, schema=schema)


def _plain(kind: Type) -> DataType:
    """Return what the library makes of Python's values; it makes times of integers only by a cast."""
    return _kinds()[Type.INTEGER if kind is Type.TIME else kind]


def _cells(kind: Type, cells: Cells) -> Any:
    if kind is Type.TEXT:
        return [str(text) for text in cells]
    numbers = np.asarray(cells)
    return numbers_or(numbers, absent=None) if kind is Type.NUMBER else numbers.tolist()
