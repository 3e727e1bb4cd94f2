"""Every breakpoint of every standard from both sides, as the standard prints it: typed anew, not read from the code.

Sources: US EPA-454/B-24-002 (2024), 78 FR 3086 and 74 FR 30469 (before); EEA index of 2024 (ETC HE 2024/17); Defra,
Update on Implementation of the DAQI (2013); CPCB, National Air Quality Index (2014); HJ 633-2012, table 1.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from techtrack.airquality.indexing import Indexed
from techtrack.airquality.standard import standards
from techtrack.airquality.standards import cn_hj633, us_epa
from techtrack.airquality.tables import NONE, Lines, whole
from tests.unit.airquality.air import AT, sub_index, verdict

IN_2024 = datetime(2024, 5, 5, 12, tzinfo=UTC)
IN_2015 = datetime(2015, 12, 27, 12, tzinfo=UTC)


def rows(standard, at, method, **tables):
    """One row for each ``concentration=index`` of the tables."""
    for parameter, table in tables.items():
        for pair in table.split():
            concentration, index = pair.split("=")
            name = f"{standard} {at:%Y} {method or ''} {parameter} {pair}"
            yield pytest.param(standard, at, method, parameter, concentration, int(index), id=name)


US = rows(
    "us_epa", AT, "average",
    pm2_5="0=0 9.0=50 9.1=51 35.4=100 35.5=101 55.4=150 55.5=151 125.4=200 125.5=201 225.4=300 225.5=301 325.4=500",
    pm10="0=0 54=50 55=51 154=100 155=101 254=150 255=151 354=200 355=201 424=300 425=301 604=500",
    o3="0=0 0.054=50 0.055=51 0.070=100 0.071=101 0.085=150 0.086=151 0.105=200 0.106=201 0.200=300",
    co="0=0 4.4=50 4.5=51 9.4=100 9.5=101 12.4=150 12.5=151 15.4=200 15.5=201 30.4=300 30.5=301 50.4=500",
    so2="0=0 35=50 36=51 75=100 76=101 185=150 186=151 304=200 305=201 604=300 605=301 1004=500",
    no2="0=0 53=50 54=51 100=100 101=101 360=150 361=151 649=200 650=201 1249=300 1250=301 2049=500",
)  # fmt: skip
US_OF_2015 = rows(
    "us_epa", IN_2024, "average",
    pm2_5="12.0=50 12.1=51 35.4=100 35.5=101 55.4=150 55.5=151 150.4=200 150.5=201 250.4=300 250.5=301 350.4=400 "
    "350.5=401 500.4=500",
    pm10="54=50 55=51 424=300 425=301 504=400 505=401 604=500",
    o3="0.054=50 0.055=51 0.070=100 0.071=101",
    co="30.4=300 30.5=301 40.4=400 40.5=401 50.4=500",
    so2="604=300 605=301 804=400 805=401 1004=500",
    no2="1249=300 1250=301 1649=400 1650=401 2049=500",
)  # fmt: skip
US_OF_2012 = rows(
    "us_epa", IN_2015, "average",
    o3="0.059=50 0.060=51 0.075=100 0.076=101 0.095=150 0.096=151 0.115=200 0.116=201 0.374=300",
    pm2_5="12.0=50 12.1=51",
)  # fmt: skip
EU = rows(
    "eu_eaqi", AT, None,
    pm2_5="0=1 5=1 5.001=2 15=2 15.001=3 50=3 50.001=4 90=4 90.001=5 140=5 140.001=6",
    pm10="15=1 15.001=2 45=2 45.001=3 120=3 120.001=4 195=4 195.001=5 270=5 270.001=6",
    no2="10=1 10.001=2 25=2 25.001=3 60=3 60.001=4 100=4 100.001=5 150=5 150.001=6",
    o3="60=1 60.001=2 100=2 100.001=3 120=3 120.001=4 160=4 160.001=5 180=5 180.001=6",
    so2="20=1 20.001=2 40=2 40.001=3 125=3 125.001=4 190=4 190.001=5 275=5 275.001=6",
)  # fmt: skip
UK = rows(
    "uk_daqi", AT, None,
    pm2_5="0=1 11=1 12=2 23=2 24=3 35=3 36=4 41=4 42=5 47=5 48=6 53=6 54=7 58=7 59=8 64=8 65=9 70=9 71=10",
    pm10="16=1 17=2 33=2 34=3 50=3 51=4 58=4 59=5 66=5 67=6 75=6 76=7 83=7 84=8 91=8 92=9 100=9 101=10",
    o3="33=1 34=2 66=2 67=3 100=3 101=4 120=4 121=5 140=5 141=6 160=6 161=7 187=7 188=8 213=8 214=9 240=9 241=10",
    no2="67=1 68=2 134=2 135=3 200=3 201=4 267=4 268=5 334=5 335=6 400=6 401=7 467=7 468=8 534=8 535=9 600=9 601=10",
    so2="88=1 89=2 177=2 178=3 266=3 267=4 354=4 355=5 443=5 444=6 532=6 533=7 710=7 711=8 887=8 888=9 1064=9 1065=10",
)  # fmt: skip
INDIA = rows(
    "in_naqi", AT, None,
    pm2_5="0=0 30=50 30.7=51 60=100 60.2=101 90=200 90.4=201 120=300 121=301 250=400 251=401 380=500 381=500",
    pm10="50=50 51=51 100=100 101.6=101 250=200 251=201 350=300 351=301 430=400 431=401 510=500",
    o3="50=50 51=51 100=100 100.7=101 168=200 168.3=201 208=300 213=301 748=400 753=401 1288=500",
    co="1=50 1.02=51 2=100 2.08=101 10=200 10.07=201 17=300 17.17=301 34=400 34.17=401 51=500",
    so2="40=50 41=51 80=100 83=101 380=200 384=201 800=300 808=301 1600=400 1608=401 2400=500",
    no2="40=50 41=51 80=100 81=101 180=200 181=201 280=300 281=301 400=400 401=401 520=500",
    nh3="200=50 204=51 400=100 404=101 800=200 804=201 1200=300 1206=301 1800=400 1806=401 2400=500",
    pb="0.5=50 0.51=51 1=100 1.01=101 2=200 2.01=201 3=300 3.005=301 3.5=400 3.505=401 4=500",
)  # fmt: skip
# An index is rounded up: what is above a breakpoint, however little, is in the next class.
CHINA = rows(
    "cn_hj633", AT, "average",
    pm2_5="0=0 35=50 35.001=51 75=100 75.001=101 115=150 115.001=151 150=200 150.001=201 250=300 250.001=301 350=400 "
    "350.001=401 500=500 501=500",
    pm10="50=50 50.001=51 150=100 150.001=101 250=150 250.001=151 350=200 350.001=201 420=300 420.001=301 500=400 "
    "500.001=401 600=500",
    o3="100=50 100.001=51 160=100 160.001=101 215=150 215.001=151 265=200 265.001=201 800=300 801=301 1000=400 "
    "1000.001=401 1200=500",
    so2="50=50 50.001=51 150=100 150.001=101 475=150 475.001=151 800=200 800.001=201 1600=300 1600.001=301 2100=400 "
    "2100.001=401 2620=500",
    no2="40=50 40.001=51 80=100 80.001=101 180=150 180.001=151 280=200 280.001=201 565=300 565.001=301 750=400 "
    "750.001=401 940=500",
    co="2=50 2.001=51 4=100 4.001=101 14=150 14.001=151 24=200 24.001=201 36=300 36.001=301 48=400 48.001=401 60=500",
)  # fmt: skip
CHINA_BY_THE_HOUR = rows(
    "cn_hj633", AT, "hourly",
    o3="160=50 160.001=51 200=100 200.001=101 300=150 300.001=151 400=200 400.001=201 800=300 800.001=301 1000=400 "
    "1000.001=401 1200=500",
    no2="100=50 100.001=51 200=100 200.001=101 700=150 700.001=151 1200=200 1200.001=201 2340=300 2340.001=301 "
    "3090=400 3090.001=401 3840=500",
    co="5=50 5.001=51 10=100 10.001=101 35=150 35.001=151 60=200 60.001=201 90=300 90.001=301 120=400 120.001=401 "
    "150=500",
)  # fmt: skip
TABLES = [*US, *US_OF_2015, *US_OF_2012, *EU, *UK, *INDIA, *CHINA, *CHINA_BY_THE_HOUR]


@pytest.mark.parametrize(("standard", "at", "method", "parameter", "concentration", "index"), TABLES)
class TestTheTable:
    def test_gives_the_index_that_is_printed(self, standard, at, method, parameter, concentration, index):
        assert sub_index(standard, parameter, concentration, at=at, method=method) == index


# Tables of which still air shows another one, of a longer or a shorter mean, that is higher.
BESIDE = {
    ("us_epa", "o3", "1 h"): (
        us_epa.O3_1H,
        "0.124=-1 0.125=101 0.164=150 0.165=151 0.204=200 0.205=201 0.404=300 0.405=301 0.604=500",
    ),
    ("us_epa", "o3", "1 h, 2012"): (us_epa.O3_1H_2012, "0.404=300 0.405=301 0.504=400 0.505=401 0.604=500"),
    ("us_epa", "so2", "1 h"): (us_epa.SO2_1H, "0=0 35=50 36=51 75=100 76=101 185=150 186=151 304=200 305=200"),
    ("us_epa", "so2", "24 h"): (us_epa.SO2_24H, "304=-1 305=201 604=300 605=301 1004=500"),
    ("cn_hj633", "so2", "1 h"): (
        cn_hj633.SO2_1H.table,
        "0=0 150=50 150.001=51 500=100 500.001=101 650=150 650.001=151 800=200 801=200",
    ),
    ("cn_hj633", "o3", "8 h"): (
        cn_hj633.O3_8H.table,
        "100=50 100.001=51 160=100 160.001=101 215=150 215.001=151 265=200 265.001=201 800=300 801=300",
    ),
}
SHOWN = [
    pytest.param(table, *pair.split("="), id=f"{' '.join(name)} {pair}")
    for name, (table, pairs) in BESIDE.items()
    for pair in pairs.split()
]


class TestATableBeside:
    @pytest.mark.parametrize(("table", "concentration", "index"), SHOWN)
    def test_gives_the_index_that_is_printed(self, table, concentration, index):
        amount = Decimal(concentration)
        expected = None if int(index) == NONE else int(index)
        assert table.exact(amount) == expected
        assert table.fast(np.array([whole(amount)])).tolist() == [int(index)]


def typed():
    """The concentrations that are typed above, by standard and parameter."""
    found = defaultdict(set)
    for row in TABLES:
        standard, _, _, parameter, concentration, _ = row.values
        found[standard, parameter].add(Decimal(concentration))
    for (standard, parameter, _), (_, pairs) in BESIDE.items():
        found[standard, parameter] |= {Decimal(pair.split("=")[0]) for pair in pairs.split()}
    return found


def untested(bounds, concentrations):
    """Those of some upper bounds of which not both sides are typed: the bound, and something of what comes next."""
    return [
        bound
        for bound, following in pairwise(bounds)
        if bound not in concentrations
        or not any(bound < one <= bound + (following - bound) / 2 for one in concentrations)
    ]


def bounds_of(table):
    """The upper bounds of a table's lines or bands; the last has nothing behind it."""
    if isinstance(table, Lines):
        return [segment.high for segment in table.segments]
    return [*table.limits, 2 * table.limits[-1]]


class TestEveryBreakpoint:
    @pytest.mark.parametrize("name", [one for one in standards.names() if isinstance(standards.get(one), Indexed)])
    def test_is_typed_above_with_what_comes_behind_it(self, name):
        there = typed()
        for edition in standards.get(name).editions:
            for scale in {scale for scales in edition.scales.values() for scale in scales}:
                missing = untested(bounds_of(scale.table), there[name, scale.parameter])
                assert not missing, (edition.name, scale.parameter, scale.period.label)

    @pytest.mark.parametrize(
        ("concentrations", "missing"),
        [
            pytest.param("9 9.1 35 35.1", [], id="both sides of both"),
            pytest.param("9 9.1 35.1", ["35"], id="not the bound itself"),
            pytest.param("9 35 35.1", ["9"], id="only the far end of what comes next"),
        ],
    )
    def test_that_is_not_would_be_found(self, concentrations, missing):
        found = untested(list(map(Decimal, ("9", "35", "55"))), set(map(Decimal, concentrations.split())))
        assert found == list(map(Decimal, missing))


CLASSES = {
    "us_epa": "9.0=Good; 9.1=Moderate; 35.5=Unhealthy for Sensitive Groups; 55.5=Unhealthy; 125.5=Very Unhealthy; "
    "225.5=Hazardous; 2000=Hazardous",
    "eu_eaqi": "5=Good; 15=Fair; 50=Moderate; 90=Poor; 140=Very poor; 141=Extremely poor",
    "uk_daqi": "35=Low; 36=Moderate; 53=Moderate; 54=High; 70=High; 71=Very High",
    "cn_hj633": "35=Excellent; 75=Good; 115=Lightly polluted; 150=Moderately polluted; 250=Heavily polluted; "
    "250.1=Severely polluted",
}


class TestClasses:
    @pytest.mark.parametrize("standard", CLASSES)
    def test_are_named_as_the_standard_does(self, standard):
        for pair in CLASSES[standard].split("; "):
            concentration, name = pair.split("=")
            assert verdict(standard, pm2_5=concentration).category.name == name

    def test_of_india_need_three_pollutants(self):
        found = verdict("in_naqi", pm2_5="90", pm10="40", no2="20")
        assert (found.index, found.category.name, found.dominant) == (200, "Moderate", "pm2_5")

    @pytest.mark.parametrize("name", standards.names())
    def test_have_colours_and_advice(self, name):
        for one in standards.get(name).categories:
            assert len(one.colour) == 7
            assert one.colour.startswith("#")
            assert int(one.colour[1:], 16) >= 0
            assert one.advice.endswith(".")
