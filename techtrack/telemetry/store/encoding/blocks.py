"""Columns of numbers as blocks of bytes: decimal fractions as integers, integers as narrow offsets or differences.

A block is ``tag, scale, base, first`` and data. The tag's bits 0-3 are the width of an offset in bytes (0-8), bit 4
says that the offsets are those of differences, bits 5-6 that base and first are int16, int32 or int64, bit 7 that a
bitmap of the entries that are there comes before the offsets; bit 7 of the scale, that a bitmap of those that are -0.0
comes next. Offsets lie byte plane by byte plane, lowest first.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.store.encoding.decimals import Places, Stretches, scaled, to_floats

Bools = npt.NDArray[np.bool_]

WIDTH, DIFFERENCES, SIZES, PARTIAL = 0x0F, 0x10, 5, 0x80  # of the tag
WIDEST = 8  # bytes
SIGNED = 0x80  # of the scale
_NEGATIVE_ZERO = np.int64(-(2**63))  # the bits of -0.0
# By size: tag, scale, base, first.
HEADS = (struct.Struct("<BBhh"), struct.Struct("<BBii"), struct.Struct("<BBqq"))
_LIMITS = np.array([0, *(256**width - 1 for width in range(1, 8))], np.uint64)


def pack_columns(columns: Mapping[str, Floats], edges: Places) -> list[list[bytes | None]]:
    """Give per chunk, the rows between two neighbours of ``edges``, the block of each column, None if all absent."""
    chunks, rows = len(edges) - 1, int(edges[-1])
    found: list[list[bytes | None]] = [[None] * len(columns) for _ in range(chunks)]
    if not columns or not rows:
        return found
    values = np.concatenate([np.asarray(column, np.float64) for column in columns.values()])
    starts = np.add.outer(np.arange(len(columns)) * rows, edges[:-1]).ravel()
    ends = starts + np.tile(edges[1:] - edges[:-1], len(columns))
    there = values == values  # noqa: PLR0124 -- not NaN, for half the price of isnan
    places, counts = starts, ends - starts
    if not there.all():
        before = np.append(0, np.cumsum(there))
        places, counts = before[starts], before[ends] - before[starts]
        values = values[there]
    filled = np.flatnonzero(counts)
    stretches = Stretches(places[filled], counts[filled])
    negative = values.view(np.int64) == _NEGATIVE_ZERO
    if signed := bool(negative.any()):
        # As integers these are plain zeros: a bitmap of its own keeps their sign.
        values = values + 0.0
    blocks = pack(*scaled(values, stretches), stretches)
    partial = stretches.counts != (ends - starts)[filled]
    minus = np.logical_or.reduceat(negative, stretches.starts) if signed else np.zeros(len(filled), np.bool_)
    for index in np.flatnonzero(partial | minus).tolist():
        place, whole = stretches.starts[index], filled[index]
        present = there[starts[whole] : ends[whole]] if partial[index] else None
        signs = negative[place : place + stretches.counts[index]] if minus[index] else None
        blocks[index] = _mapped(blocks[index], present, signs)
    for stretch, block in zip(filled.tolist(), blocks, strict=True):
        found[stretch % chunks][stretch // chunks] = block
    return found


def _mapped(block: bytes, there: Bools | None, negative: Bools | None) -> bytes:
    """Put bitmaps into a block: of the entries that it is for, and of its negative zeros."""
    maps = b""
    tag, scale = block[:2]
    if there is not None:
        tag, maps = tag | PARTIAL, np.packbits(there).tobytes()
    if negative is not None:
        scale, maps = scale | SIGNED, maps + np.packbits(negative).tobytes()
    head = HEADS[tag >> SIZES & 3].size
    return bytes([tag, scale]) + block[2:head] + maps + block[head:]


def pack(integers: Ints, scales: Places, stretches: Stretches) -> list[bytes]:
    """Give the block of each stretch; ``integers`` holds nothing but the stretches, one after the other."""
    starts, counts = stretches
    if not len(starts):
        return []
    differences = np.empty_like(integers)
    np.subtract(integers[1:], integers[:-1], out=differences[1:])
    # The first of each stretch has no difference: it must not widen the range of the others.
    differences[starts] = np.where(counts > 1, differences[np.minimum(starts + 1, len(integers) - 1)], 0)
    low, reach = _range(integers, starts)
    low_step, reach_step = _range(differences, starts)
    ordered = reach_step < reach
    low, reach = np.where(ordered, low_step, low), np.where(ordered, reach_step, reach)
    widths = np.searchsorted(_LIMITS, reach)
    base = _base(low, reach, widths)
    if ordered.all():
        offsets = differences
    elif ordered.any():
        offsets = np.where(np.repeat(ordered, counts), differences, integers)
    else:
        offsets = integers
    offsets = offsets - np.repeat(base, counts)
    heads = _heads(widths, ordered, scales, base, np.where(ordered, integers[starts], 0))
    return _with_planes(heads, offsets, widths, starts + ordered, starts + counts)


def _range(integers: Ints, starts: Places) -> tuple[Ints, npt.NDArray[np.uint64]]:
    """Give the minimum of each stretch and the distance from it to the maximum (which may pass 2**63)."""
    low = np.minimum.reduceat(integers, starts)
    return low, (np.maximum.reduceat(integers, starts) - low).view(np.uint64)


def _base(low: Ints, reach: npt.NDArray[np.uint64], widths: Places) -> Ints:
    """Give what to subtract, so that zero, or else the middle, becomes the middle of the offsets.

    With the usual values of all columns alike, the codes that zstd makes for all of them together fit each.
    """
    half = np.left_shift(1, np.maximum(8 * widths - 1, 0))
    around_zero = (widths == WIDEST) | ((low >= -half) & (low + reach.view(np.int64) < half))
    middle = low + (reach - (reach >> np.uint64(1))).view(np.int64)
    return np.where(widths == 0, low, np.where(around_zero, -half, middle - half))


def _heads(widths: Places, ordered: Bools, scales: Places, base: Ints, first: Ints) -> list[bytes]:
    sizes = np.zeros(len(widths), np.intp)
    for bits in (15, 31):
        sizes += ((base >> bits) != (base >> 63)) | ((first >> bits) != (first >> 63))
    tags = widths | (ordered * DIFFERENCES) | (sizes << SIZES)
    rows = zip(sizes.tolist(), tags.tolist(), scales.tolist(), base.tolist(), first.tolist(), strict=True)
    return [HEADS[size].pack(tag, scale, low, start) for size, tag, scale, low, start in rows]


def _with_planes(heads: list[bytes], offsets: Ints, widths: Places, starts: Places, ends: Places) -> list[bytes]:
    """Add to each head the lowest bytes of its stretch's offsets, then the next, as many as its width says."""
    # The cast drops the higher bytes.
    planes = [(offsets >> (8 * plane)).astype(np.uint8).tobytes() for plane in range(int(widths.max()))]
    rows = zip(heads, widths.tolist(), starts.tolist(), ends.tolist(), strict=True)
    return [b"".join([head, *[plane[start:end] for plane in planes[:width]]]) for head, width, start, end in rows]


class Reader:
    """Reads blocks off a buffer, one after the other; ``rows`` is the number of entries of a column."""

    def __init__(self, buffer: bytes, at: int, rows: int) -> None:
        self._buffer = buffer
        self._bytes = np.frombuffer(buffer, np.uint8)
        self._at = at
        self._rows = rows

    def skip(self) -> None:
        """Pass over a block."""
        tag, scale = self._buffer[self._at : self._at + 2]
        self._at += HEADS[tag >> SIZES & 3].size
        count = self._rows
        if tag & PARTIAL:
            size = (count + 7) // 8
            count = int.from_bytes(self._buffer[self._at : self._at + size]).bit_count()
            self._at += size
        if scale & SIGNED:
            self._at += (count + 7) // 8
        self._at += (tag & WIDTH) * (count - (tag & DIFFERENCES != 0))

    def floats(self) -> Floats:
        """Read a column of values, NaN where there is none."""
        tag, scale, base, first = self._head()
        there = self._bitmap(self._rows) if tag & PARTIAL else None
        count = self._rows if there is None else int(np.count_nonzero(there))
        negative = self._bitmap(count) if scale & SIGNED else None
        values = to_floats(self._numbers(tag, count, base, first), scale & ~SIGNED)
        if negative is not None:
            values[negative] = -0.0
        if there is None:
            return values
        column = np.full(self._rows, np.nan)
        column[there] = values
        return column

    def integers(self) -> Ints:
        """Read a column of integers; their scale is a power of ten by which they are multiplied."""
        tag, scale, base, first = self._head()
        numbers = self._numbers(tag, self._rows, base, first)
        return numbers * 10**scale if scale else numbers

    def _head(self) -> tuple[int, int, int, int]:
        head = HEADS[self._buffer[self._at] >> SIZES & 3]
        tag, scale, base, first = head.unpack_from(self._buffer, self._at)
        self._at += head.size
        return tag, scale, base, first

    def _bitmap(self, count: int) -> Bools:
        size = (count + 7) // 8
        bitmap = np.unpackbits(self._bytes[self._at : self._at + size], count=count).view(np.bool_)
        self._at += size
        return bitmap

    def _numbers(self, tag: int, count: int, base: int, first: int) -> Ints:
        numbers = np.empty(count, np.int64)
        if not tag & DIFFERENCES:
            self._offsets(tag & WIDTH, base, numbers)
            return numbers
        numbers[0] = first
        self._offsets(tag & WIDTH, base, numbers[1:])
        return np.cumsum(numbers, out=numbers)

    def _offsets(self, width: int, base: int, into: Ints) -> None:
        """Fill ``into`` with base + offset."""
        if not width:
            into.fill(base)
            return
        count = len(into)
        data = self._bytes[self._at : self._at + width * count]
        self._at += width * count
        if width > 1:
            wide = np.zeros((count, 8), np.uint8)
            wide[:, :width] = data.reshape(width, count).T
            data = wide.reshape(-1).view("<i8")
        into[:] = data
        into += base
