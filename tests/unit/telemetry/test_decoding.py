"""The fast way to read a body: it takes only what the strict way takes, and reads the same in it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.api.parsers import parse_json
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Invalid
from techtrack.telemetry.domain import packing
from techtrack.telemetry.domain.decoding import FEW, Few, decode
from techtrack.telemetry.domain.items import read_document
from techtrack.telemetry.domain.reading import Batch, Row
from techtrack.telemetry.domain.stamps import parse_stamps

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LAST_YEAR = 9999
AT = "2026-11-21T10:00:00Z"


def carefully(raw: bytes) -> list[tuple[Any, int, dict[str, str]]] | None:
    """What the strict parser and the reader of every door read; None where they refuse anything."""
    try:
        document = read_document(parse_json(raw, finite=False), names=("asset",), now=NOW)
    except Invalid:
        return None
    if document.faults:
        return None
    return [(str(item.ref), item.time, _exact(item.values)) for item in document.items.values()]


def quickly(raw: bytes) -> list[tuple[Any, int, dict[str, str]]] | None:
    """What the fast way reads; None where it leaves the body to the other."""
    columns = decode(raw, now=NOW)
    if columns is None:
        return None
    if isinstance(columns, Few):
        rows = zip(columns.refs, columns.times, columns.values, strict=True)
        return [(_plain(ref), time, _exact(values)) for ref, time, values in rows]
    numbers = np.arange(len(columns.refs))
    rows = Batch(numbers, columns.times, columns.values).rows()
    return [(_plain(columns.refs[row.asset]), row.time, _exact(row.values)) for row in rows]


def _plain(ref: int | str) -> str:
    # An id may be written as text; leading zeros are none of the fast way's business.
    return str(int(ref)) if str(ref).isascii() and str(ref).isdigit() else str(ref)


def _exact(values: Any) -> dict[str, str]:
    return {code: float(value).hex() for code, value in sorted(values.items())}


def item(**change: Any) -> dict[str, Any]:
    return {"asset": 7, "timestamp": AT, "values": {"t": 1.5, "u": 2}} | change


STAMPS = st.one_of(
    # From the end of 1999 to two days from NOW.
    st.integers(946_500_000_000_000, 1_795_430_000_000_000).map(
        lambda micros: from_micros(micros).isoformat().replace("+00:00", "Z")
    ),
    st.sampled_from([AT, "2026-11-21T10:00:00+05:45", "2026-02-29T00:00:00Z", "2026-11-21 10:00:00Z", "", "a:b"]),
    st.sampled_from(["2026-11-21T10:00:60Z", "2026-11-21T24:00:00Z", "2026-11-21T10:00:00", "20261121T100000Z"]),
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.sampled_from([-0.0, 5e-324, 1e400, math.nan, None, "1", 10**400]),
)
CODES = st.sampled_from(["t", "u", "pm2_5", "a" * 64, "a" * 65, "T", "a:b", "", "\u00e9"])
REFS = st.one_of(st.integers(-1, 2**65), st.sampled_from(["robot-1", "12", "0012", "a:b", "", True, 1.0, None, "\x00"]))
GOOD = st.fixed_dictionaries(
    {"asset": st.integers(1, 9), "values": st.dictionaries(st.sampled_from("tuvw"), st.floats(-9, 9), min_size=1)},
    optional={"timestamp": st.just(AT)},
)
ANY = st.fixed_dictionaries(
    {"asset": REFS, "values": st.dictionaries(CODES, NUMBERS, max_size=4)}, optional={"timestamp": STAMPS}
)
BODIES = st.one_of(
    st.lists(GOOD, min_size=1, max_size=40).map(lambda items: {"items": items}),
    st.lists(st.one_of(GOOD, ANY), max_size=5),
    st.lists(st.one_of(GOOD, ANY), max_size=5).map(lambda items: {"items": items}),
    st.fixed_dictionaries(
        {
            "asset": st.lists(st.integers(1, 9), min_size=2, max_size=3),
            "values": st.dictionaries(CODES, st.lists(NUMBERS, min_size=2, max_size=3)),
        },
        optional={"timestamp": st.lists(STAMPS, min_size=2, max_size=3)},
    ),
)


class TestDecode:
    @given(BODIES)
    def test_takes_nothing_that_is_refused_elsewhere_and_reads_the_same(self, body):
        raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        found = quickly(raw)
        careful = carefully(raw)
        if found is not None:
            # The bounds of times are held against columns later on, by the services.
            assert careful is None or found == careful
            early = any(not to_micros(datetime(2000, 1, 1, tzinfo=UTC)) <= time for _, time, _ in found)
            late = any(time > to_micros(NOW + timedelta(hours=24)) for _, time, _ in found)
            ids = [ref for ref, _, _ in found if ref.isdigit() or ref.startswith("-")]
            unknown = any(not 0 < int(ref) < 2**63 for ref in ids) or any(not ref for ref, _, _ in found)
            assert careful is not None or early or late or unknown

    @given(BODIES, st.integers(0, 400), st.sampled_from([b"", b":", b'"', b"\\", b",", b"0", b"\xff", b"[", b" "]))
    def test_a_body_that_lost_or_gained_a_byte_is_no_better_for_it(self, body, place, byte):
        raw = json.dumps(body).encode()
        raw = raw[: place % len(raw)] + byte + raw[place % len(raw) + 1 :]
        found, careful = quickly(raw), carefully(raw)
        if found is not None and careful is not None:
            assert found == careful

    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param(b'{"items":[{"asset":1,"asset":2,"values":{"t":1}}]}', id="a field twice"),
            pytest.param(b'{"items":[{"asset":1,"values":{"t":1,"t":2}}]}', id="a value twice"),
            pytest.param(b'{"items":[],"items":[{"asset":1,"values":{"t":1}}]}', id="items twice"),
            pytest.param(b'{"items":[{"asset":"a\\u003ab","values":{"t":1,"t":2}}]}', id="twice, and a hidden colon"),
            pytest.param(b'{"asset":[1],"values":{"t":[1],"t":[2]}}', id="a column twice"),
            pytest.param(b'{"asset":[1],"asset":[2],"values":{"t":[1]}}', id="the assets twice"),
            pytest.param(b'{"items":[{"asset":1,"values":{"t":NaN}}]}', id="NaN"),
            pytest.param(b'{"items":[{"asset":1,"values":{"t":1e400}}]}', id="infinite by size"),
            pytest.param(b'{"items":[{"asset":1,"values":{"t":[[1]]}}]}', id="nested"),
            pytest.param(b'{"items":[{"asset":1,"values":{}}]}', id="no values"),
            pytest.param(b'{"items":[{"asset":1.0,"values":{"t":1}}]}', id="a fraction for an id"),
            pytest.param(b'{"items":[{"asset":true,"values":{"t":1}}]}', id="true for an id"),
            pytest.param(b'{"asset":[1,2],"values":{"t":[1,null]}}', id="a reading without values"),
            pytest.param(b'{"asset":[1,2],"values":{"t":[1]}}', id="a short column"),
            pytest.param(b'{"asset":[1],"timestamp":[],"values":{"t":[1]}}', id="no time for it"),
            pytest.param(b'{"asset":[1],"items":[],"values":{"t":[1]}}', id="both forms"),
            pytest.param(b'{"items":[{"asset":"\xed\xa0\x80","values":{"t":1}}]}', id="a surrogate's bytes"),
            pytest.param(b'\xef\xbb\xbf{"items":[{"asset":1,"values":{"t":1}}]}', id="a byte order mark"),
            pytest.param(b'{"items":[]}', id="nothing"),
            pytest.param(b"{}", id="an empty object"),
            pytest.param(b"", id="no body"),
        ],
    )
    def test_leaves_to_others_what_is_not_plainly_good(self, raw):
        assert decode(raw, now=NOW) is None

    def test_reads_columns_as_it_reads_items(self):
        codes = ["t", "u"]
        rows = [item(asset=number, values={"t": number / 7, "u": float(number % 2)}) for number in range(1, FEW * 3)]
        columns = {
            "asset": [row["asset"] for row in rows],
            "timestamp": [AT] * len(rows),
            "values": {code: [row["values"][code] for row in rows] for code in codes},
        }
        assert quickly(json.dumps({"items": rows}).encode()) == quickly(json.dumps(columns).encode())
        assert quickly(json.dumps(columns).encode()) == carefully(json.dumps(columns).encode())

    def test_reads_readings_of_many_kinds(self):
        kinds = [{f"p{kind}_{number}": number + 0.5 for number in range(3)} for kind in range(20)]
        raw = json.dumps([item(asset=number + 1, values=kinds[number % 20]) for number in range(400)]).encode()
        assert quickly(raw) == carefully(raw)
        assert quickly(raw) is not None

    def test_does_not_spread_a_few_values_over_a_vast_table(self):
        raw = json.dumps([item(values={f"p{number}": 1}) for number in range(9000)]).encode()
        assert decode(raw, now=NOW) is None
        batches = packing.packed([Row(1, number, {f"p{number}": 1.0}) for number in range(9000)])
        assert sum(map(len, batches)) == 9000
        assert max(len(batch) * len(batch.values) for batch in batches) <= packing.ALWAYS
        joined = packing.joined(batches)
        assert sum(map(len, joined)) == 9000
        assert _places(joined) <= 2 * _places(batches)


def _places(batches: list[Batch]) -> int:
    return sum(len(batch) * len(batch.values) for batch in batches)


class TestParseStamps:
    @given(
        st.lists(st.datetimes().filter(lambda at: 1 < at.year < LAST_YEAR), min_size=1, max_size=5),
        st.sampled_from(["seconds", "milliseconds", "microseconds"]),
        st.sampled_from([0, 60, -330, 345, 1439]),
    )
    def test_agrees_with_the_library(self, moments, precision, minutes):
        zone = timezone(timedelta(minutes=minutes))
        texts = [moment.replace(tzinfo=zone).isoformat(timespec=precision) for moment in moments]
        expected = [to_micros(datetime.fromisoformat(text)) for text in texts]
        found = parse_stamps(texts)
        assert found is not None
        assert found.tolist() == expected

    @pytest.mark.parametrize(
        "text",
        [
            *("2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z"),
            *("2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:0:Z"),
            *("2026-01-01T00:00:00", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00z"),
            *("2026-01-01T00:00:00.1234567Z", "2026/01/01T00:00:00Z", "", "Z", "\u0662026-01-01T00:00:0Z"),
        ],
    )
    def test_gives_up_at_what_is_no_time_of_its_forms(self, text):
        assert parse_stamps([text, text]) is None
        assert parse_stamps(["2026-01-01T00:00:00Z", text]) is None
