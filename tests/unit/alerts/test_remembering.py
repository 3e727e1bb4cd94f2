"""What the judge has seen, as bytes."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from techtrack.alerts.domain.remembering import CorruptMemory, Seen, Series, decode, encode


def ints(*numbers):
    return np.array(numbers, np.int64)


SEEN = Seen(
    {"t": Series(ints(1, 2, 2**60), ints(5, 0, 2**53 + 1), ints(7)), "p": Series(ints(), ints(), ints(7, 8))},
    {(7, 1): 0, (8, 2): 2**53 + 1},
)
# Written by the version 1 of the encoder; must stay readable for ever.
GOLDEN = bytes.fromhex(
    "010f3ea4cf28b52ffd20a6b50200f24410178027eaaa7a16a0390826386ed8f00e20b7a26cd76a3b059bfff1315e2697c964334e001ee3e1a0166eb5d554eaa420db9a520d92902d9a12ea6305c75e0d7f200b100012633cf0c0030f3c24c0f238180628"
)


def same(one, other):
    series = {code: [column.tolist() for column in columns] for code, columns in one.series.items()}
    return series == {code: [c.tolist() for c in columns] for code, columns in other.series.items()} and (
        one.apart == other.apart
    )


class TestSeen:
    @pytest.mark.parametrize("seen", [pytest.param(SEEN, id="something"), pytest.param(Seen({}), id="nothing")])
    def test_comes_back_as_it_was(self, seen):
        assert same(decode(encode(seen)), seen)

    def test_of_version_1_is_readable(self):
        assert same(decode(GOLDEN), SEEN)

    @pytest.mark.parametrize(
        "listed", [pytest.param([], id="none"), pytest.param([(n, 2, 10**15 + n) for n in range(70_000)], id="many")]
    )
    def test_of_the_form_before_is_readable(self, listed):
        seen = decode(msgspec.msgpack.encode(listed))
        assert seen.series is None
        assert seen.apart == {(rule, asset): at for rule, asset, at in listed}

    @pytest.mark.parametrize("place", [0, 1, 4, 5, -1])
    def test_that_was_changed_is_refused(self, place):
        blob = bytearray(encode(SEEN))
        blob[place] ^= 0x02
        with pytest.raises(CorruptMemory):
            decode(bytes(blob))

    @pytest.mark.parametrize("blob", [b"", b"\x01", b"\x01\x00\x00\x00\x00"])
    def test_that_is_cut_off_is_refused(self, blob):
        with pytest.raises(CorruptMemory):
            decode(blob)
