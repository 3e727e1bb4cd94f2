"""Times as text, many at once and one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.clock import from_micros, isoformat
from techtrack.telemetry.domain.moments import rfc3339

SECONDS = st.integers(-2_000_000_000, 7_000_000_000).map(lambda seconds: seconds * 1_000_000)
MICROS = st.integers(-(10**15), 7 * 10**15)


class TestRfc3339:
    @given(st.lists(SECONDS | MICROS, max_size=20))
    def test_writes_as_the_clock_of_the_house_does(self, times):
        assert rfc3339(np.array(times, np.int64)) == [isoformat(from_micros(time)) for time in times]
