"""A text for a phone fits one SMS, whatever people have named their machines."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from techtrack.notifications.domain.sms import BASIC, EXTENSION, ROOM, fit, in_gsm, septets

LINK = "https://plant.example/alerts/7/"
# Letters of every plane, and often those that tempt: units, quotes, extension characters, blanks of all kinds.
TEMPTING = "µ°³²€[]{}^~|\\“”\u2019\u2013—…ÄäçÇ\u00a0\u200b\f\n\t\u03b1軸🔥"
texts = st.text(st.one_of(st.sampled_from(TEMPTING), st.characters()), max_size=400)


class TestFit:
    @given(texts, st.sampled_from(["", LINK, "https://x/~a[b]", "x" * 200, "https://plant.example/µ"]))
    @example("€" * 200, LINK)
    @example("a" * 160, "")
    @example("a" * 159 + "€", "")
    @example(f"see {LINK}", LINK)
    def test_always_fits_one_part(self, text, link):
        sms = fit(text, link=link)
        assert set(sms) <= BASIC | EXTENSION
        assert septets(sms) <= ROOM

    @given(texts)
    def test_keeps_the_link_whole(self, text):
        assert fit(text, link=LINK).endswith(LINK)

    @given(texts)
    def test_can_be_fitted_again_without_a_change(self, text):
        once = fit(text)
        assert fit(once) == once

    def test_a_fit_that_counted_characters_would_be_caught(self):
        # The planted bug: 160 characters, of which one takes two places.
        planted = ("a" * 159 + "€")[:ROOM]
        assert septets(planted) > ROOM

    def test_keeps_what_fits(self):
        assert fit("Too hot: Robot 7") == "Too hot: Robot 7"
        assert fit("a" * 160) == "a" * 160

    def test_cuts_at_a_word(self):
        sms = fit("word " * 40)
        assert sms.endswith("word...")
        assert septets(sms) > ROOM - 10

    def test_cuts_a_single_long_word_anywhere(self):
        assert fit("a" * 300) == "a" * 157 + "..."

    def test_counts_a_sign_of_the_extension_as_two(self):
        assert fit("€" * 81) == "€" * 78 + "..."

    def test_does_not_repeat_a_link_that_the_text_ends_with(self):
        assert fit(f"Too hot {LINK}", link=LINK) == f"Too hot {LINK}"

    def test_leaves_out_a_link_that_no_part_can_hold(self):
        assert fit("Too hot", link="https://x/" + "a" * 200) == "Too hot"


class TestInGsm:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            pytest.param("PM2.5 26 µg/m³", "PM2.5 26 ug/m3", id="micro and cubic"),
            pytest.param("26 μg/m³", "26 ug/m3", id="a Greek mu"),
            pytest.param("91.5 °C", "91.5 C", id="degrees Celsius"),
            pytest.param("45°", "45 deg", id="degrees"),
            pytest.param("m/s²", "m/s2", id="squared"),
            pytest.param("−5 ± 2", "-5 +/- 2", id="minus"),  # noqa: RUF001 - such is meant
            pytest.param("a – b — c…", "a - b - c...", id="dashes and dots"),  # noqa: RUF001 - such are meant
            pytest.param("“Halle” ‘7’", "\"Halle\" '7'", id="quotes"),  # noqa: RUF001 - such are meant
            pytest.param("Kühlschrank ß ñ Å", "Kühlschrank ß ñ Å", id="in the alphabet"),
            pytest.param("café crème", "café crème", id="French in the alphabet"),
            pytest.param("être français", "etre franÇais", id="French beyond it"),
            pytest.param("Łódź", "Lodz", id="Polish"),
            pytest.param("Škoda č.7", "Skoda c.7", id="Czech"),
            pytest.param("½ ﬁn ①", "1/2 fin 1", id="composed signs"),
            pytest.param("軸承 🔥", "?? ?", id="another script"),
            pytest.param("a\u00a0b\u2009c", "a b c", id="odd blanks"),
            pytest.param("≥ 5 Ω", ">= 5 Ω", id="at least"),
            pytest.param("[x] {y} 5€", "[x] {y} 5€", id="the extension"),
        ],
    )
    def test_writes_what_units_and_names_need(self, text, written):
        assert in_gsm(text) == written
