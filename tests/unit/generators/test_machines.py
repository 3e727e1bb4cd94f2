"""Machine-like values: the same for the same seed, in the decimals of a sensor, slow and near their level."""

from __future__ import annotations

import numpy as np

from techtrack.demo.generators.machines import SIGNALS, Fleet, signals


class TestSignals:
    def test_come_again_under_numbered_codes(self):
        codes = [signal.code for signal in signals(len(SIGNALS) * 2)]
        assert codes[: len(SIGNALS)] == [signal.code for signal in SIGNALS]
        assert codes[len(SIGNALS)] == f"{SIGNALS[0].code}_2"
        assert len(set(codes)) == len(codes)


class TestFleet:
    def test_gives_the_same_for_the_same_seed_and_else_not(self):
        first, again, other = (Fleet(assets=3, parameters=5, seed=seed).ticks(20) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_writes_as_many_decimals_as_the_sensor(self):
        fleet = Fleet(assets=4, parameters=8)
        values = fleet.ticks(50)
        for column, signal in enumerate(fleet.signals):
            texts = [f"{value:.{signal.decimals}f}" for value in values[:, :, column].ravel()]
            assert [float(text) for text in texts] == values[:, :, column].ravel().tolist()

    def test_moves_slowly_and_stays_near_its_level(self):
        fleet = Fleet(assets=20, parameters=5)
        values = fleet.ticks(2000)
        for column, signal in enumerate(fleet.signals):
            assert np.abs(np.diff(values[:, :, column], axis=0)).max() < 8 * signal.step + 10.0**-signal.decimals
            far = np.abs(values[:, :, column] - signal.level)
            assert far.max() < signal.spread + 100 * signal.step

    def test_is_neither_constant_nor_noise_in_every_bit(self):
        fleet = Fleet(assets=10, parameters=5)
        steps = np.abs(np.diff(fleet.ticks(500), axis=0))
        for column, signal in enumerate(fleet.signals):
            quanta = steps[:, :, column] * 10.0**signal.decimals
            assert (quanta > 0.5).mean() > 0.2
            assert quanta.mean() < 5
