"""What the judge knows, as bytes."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.alerts.domain.remembering import CorruptMemory, Known, Standing, decode, encode


def ints(*numbers):
    return np.array(numbers, np.int64)


KNOWN = Known(
    {
        "Raw(code='t')": {"assets": ints(1, 2, 2**60), "seen": ints(5, 0, -(2**61)), "lag": ints(0, 0, 7)},
        "Window(…)": {"assets": ints(7), "0.low": np.array([-0.1]), "0.side": np.array([-9], np.int16)},
        "Rate(…)": {"assets": ints()},
    },
    [
        Standing(1, 2, "active", 3, 2**60, 1, 0.1, 5, f"{2**640 - 1:x}"),
        Standing(9, 9, "normal", 0, 1, None, None, 1, "0"),
    ],
    [Standing(1, 7, "pending", 3, 4, 0, 0.5, 1, "0", 3)],
)
# Written by version 2 of the encoder; must stay readable for ever.
GOLDEN = bytes.fromhex(
    "02261a9b0828b52ffd60e2003d0700b28c3031708973e4aad3c07df5e1e0ce402982e8c560e09a8cf0297fc62865bd324bb7cd1f4852ffdf0ac48ac6f07fc3f6fd64a7141716129dffff972aa9a41f6d3c14d28da6cdea87e251467479ae7a5dd020add434e48bb34d9bddb6d58b0930d89b0e87dcac058a86fcffff0ec5b3fa9888fac0410b4f68a5823764e853350db9f2b0018ed2ba722e9966dc8945691976492686b813a1229261d573031017beb4d7ed9c184d1ca5396c779e3102402044a02bcc12c9b81291f1c618406ecb21a3ba09010e0060603060d061f00d7030983270951c4055dcd080ef54b54e2ae95b04090f050a"
)


def same(one, other):
    columns = {
        text: {name: (column.dtype.str, column.tolist()) for name, column in columns.items()}
        for text, columns in one.columns.items()
    }
    return (one.states, one.late) == (other.states, other.late) and columns == {
        text: {name: (column.dtype.str, column.tolist()) for name, column in columns.items()}
        for text, columns in other.columns.items()
    }


class TestKnown:
    @pytest.mark.parametrize("known", [pytest.param(KNOWN, id="much"), pytest.param(Known({}, [], []), id="nothing")])
    def test_comes_back_as_it_was(self, known):
        assert same(decode(encode(known)), known)

    def test_of_version_2_is_readable(self):
        assert same(decode(GOLDEN), KNOWN)

    def test_can_be_changed_once_it_is_read(self):
        decode(encode(KNOWN)).columns["Raw(code='t')"]["seen"][0] = 1

    @pytest.mark.parametrize("place", [0, 1, 4, 5, -1])
    def test_that_was_changed_is_refused(self, place):
        blob = bytearray(encode(KNOWN))
        blob[place] ^= 0x02
        with pytest.raises(CorruptMemory):
            decode(bytes(blob))

    @pytest.mark.parametrize("blob", [b"", b"\x02", b"\x02\x00\x00\x00\x00", b"\x01\x0f\x3e\xa4\xcf(\xb5/\xfd"])
    def test_that_is_cut_off_or_of_a_version_before_is_refused(self, blob):
        with pytest.raises(CorruptMemory):
            decode(blob)
