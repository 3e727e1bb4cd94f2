"""Machine-like values: slow random walks, written with as many decimals as a real sensor writes.

What readings cost to store depends on three things, and a generator that misses them measures nothing: how far a value
moves between two readings in units of its last decimal (``step``; noise in every bit does not compress, a constant
costs nothing), whether values are decimals at all, and whether times are regular.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# How strongly a value is drawn back to its level: it stays near it, whatever the length of the run.
PULL = 0.002


@dataclass(frozen=True, slots=True)
class Signal:
    """One parameter: where it lies, how far machines differ, how far it moves in a reading, in which decimals."""

    code: str
    level: float
    spread: float
    step: float
    decimals: int


SIGNALS = (
    Signal("temperature", 60.0, 8.0, 0.06, 1),
    Signal("pressure", 4.2, 0.6, 0.008, 2),
    Signal("vibration", 1.8, 0.4, 0.0025, 3),
    Signal("speed", 1480.0, 60.0, 1.2, 0),
    Signal("power", 22.0, 5.0, 0.09, 1),
    Signal("current", 31.0, 6.0, 0.05, 1),
    Signal("flow", 12.0, 2.0, 0.012, 2),
    Signal("humidity", 45.0, 10.0, 0.04, 1),
)


def signals(count: int) -> tuple[Signal, ...]:
    """Return ``count`` of them; after the eighth they come again under numbered codes (``temperature_2``)."""
    found = []
    for number in range(count):
        signal, turn = SIGNALS[number % len(SIGNALS)], number // len(SIGNALS) + 1
        code = signal.code if turn == 1 else f"{signal.code}_{turn}"
        found.append(Signal(code, signal.level, signal.spread, signal.step, signal.decimals))
    return tuple(found)


class Fleet:
    """Machines of one kind; the same seed gives the same values, reading by reading."""

    def __init__(self, *, assets: int, parameters: int, seed: int = 1) -> None:
        self.signals = signals(parameters)
        self.codes = tuple(signal.code for signal in self.signals)
        self._random = np.random.default_rng(seed)
        self._steps = np.array([signal.step for signal in self.signals])
        levels = np.array([signal.level for signal in self.signals])
        spread = np.array([signal.spread for signal in self.signals])
        self._levels = levels + spread * self._random.uniform(-1, 1, (assets, parameters))
        self._values = self._levels.copy()

    def tick(self) -> Floats:
        """Return the next value of every machine (rows) and parameter (columns)."""
        noise = self._random.standard_normal(self._values.shape)
        self._values += PULL * (self._levels - self._values) + self._steps * noise
        written = np.empty_like(self._values)
        for column, signal in enumerate(self.signals):
            written[:, column] = np.round(self._values[:, column], signal.decimals)
        return written

    def ticks(self, count: int) -> Floats:
        """Return ``count`` ticks as one array: tick, machine, parameter."""
        return np.stack([self.tick() for _ in range(count)])
