"""Draws the readings around an alert as a small PNG image, with its limit: mail programs show no SVG."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from techtrack.core.clock import from_micros
from techtrack.telemetry.domain.reading import Floats, Ints

# Twice the size at which it is shown: sharp on the screens of phones.
WIDTH, HEIGHT = 1200, 400
LEFT, RIGHT, TOP, BOTTOM = 130, 24, 24, 56
INK, LINE, LIMIT, GRID = "#475467", "#175cd3", "#d92d20", "#eaecf0"
STEPS = 4
# Beyond it no sensor measures, and differences overflow.
BIGGEST = 1e30


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn: times (µs) and values in order, a limit or None, and when the alert was raised."""

    times: Ints
    values: Floats
    unit: str
    limit: float | None
    raised_at: datetime
    zone: tzinfo


def draw(curve: Curve) -> bytes | None:
    """Return a PNG image, None where there are fewer than two readings to draw a line through."""
    # Also false for what is not a number.
    usable = np.abs(curve.values) < BIGGEST
    times, values = curve.times[usable], curve.values[usable]
    if len(times) < 2 or times[0] == times[-1]:  # noqa: PLR2004 - a line has two ends
        return None
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    frame = _Frame(int(times[0]), int(times[-1]), *_bounds(values, curve.limit))
    _scale(pen, frame, curve)
    _mark(pen, frame, curve)
    points = [(frame.across(int(at)), frame.up(float(value))) for at, value in zip(times, values, strict=True)]
    pen.line(points, fill=LINE, width=4, joint="curve")
    out = io.BytesIO()
    # 16 KB in 11 ms; a palette and the hardest compression save half of it, and take 60 ms.
    image.save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Frame:
    first: int
    last: int
    low: float
    high: float

    def across(self, at: int) -> float:
        share = (at - self.first) / (self.last - self.first)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def up(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def _bounds(values: Floats, limit: float | None) -> tuple[float, float]:
    seen = [float(values.min()), float(values.max())]
    # A limit far beyond what was measured (a rate, a deviation) would flatten the line.
    spread = seen[1] - seen[0]
    if limit is not None and seen[0] - 4 * spread - 1 <= limit <= seen[1] + 4 * spread + 1:
        seen.append(limit)
    low, high = min(seen), max(seen)
    # Readings that are all alike, or nearly so, lie in the middle.
    margin = (high - low) * 0.08 if high - low > abs(high) * 1e-9 + 1e-30 else max(abs(high) * 0.05, 1.0)
    return low - margin, high + margin


def _scale(pen: ImageDraw.ImageDraw, frame: _Frame, curve: Curve) -> None:
    font = ImageFont.load_default(24)
    for value in _steps(frame.low, frame.high):
        height = frame.up(value)
        pen.line([(LEFT, height), (WIDTH - RIGHT, height)], fill=GRID, width=2)
        pen.text((LEFT - 12, height), f"{value:.4g}", fill=INK, font=font, anchor="rm")
    pen.text((8, 4), curve.unit, fill=INK, font=font, anchor="la")
    day = (
        from_micros(frame.first).astimezone(curve.zone).date() != from_micros(frame.last).astimezone(curve.zone).date()
    )
    for place, at in enumerate(np.linspace(frame.first, frame.last, STEPS).astype(np.int64)):
        local = from_micros(int(at)).astimezone(curve.zone)
        anchor = "ls" if place == 0 else "rs" if place == STEPS - 1 else "ms"
        pen.text((frame.across(int(at)), HEIGHT - 16), f"{local:%d %b %H:%M}" if day else f"{local:%H:%M:%S}",
                 fill=INK, font=font, anchor=anchor)  # fmt: skip


def _steps(low: float, high: float) -> Iterator[float]:
    """Round numbers between the bounds."""
    rough = (high - low) / STEPS
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(power * min((one for one in (1, 2, 5, 10) if one * power >= rough), default=10))
    count = int(np.floor(high / step)) - int(np.ceil(low / step)) + 1
    yield from (float(np.ceil(low / step) + number) * step for number in range(min(count, 2 * STEPS)))


def _mark(pen: ImageDraw.ImageDraw, frame: _Frame, curve: Curve) -> None:
    font = ImageFont.load_default(24)
    if curve.limit is not None and frame.low <= curve.limit <= frame.high:
        height = frame.up(curve.limit)
        _dashes(pen, [(LEFT, height), (WIDTH - RIGHT, height)])
        pen.text((WIDTH - RIGHT, height - 6), f"limit {curve.limit:.6g}", fill=LIMIT, font=font, anchor="rs")
    raised = int(curve.raised_at.timestamp() * 1e6)
    if frame.first <= raised <= frame.last:
        place = frame.across(raised)
        pen.line([(place, TOP), (place, HEIGHT - BOTTOM)], fill=LIMIT, width=2)


def _dashes(pen: ImageDraw.ImageDraw, ends: Sequence[tuple[float, float]]) -> None:
    (left, height), (right, _) = ends
    for start, end in list(pairwise(np.arange(left, right + 16, 16)))[::2]:
        pen.line([(float(start), height), (float(min(end, right)), height)], fill=LIMIT, width=3)
