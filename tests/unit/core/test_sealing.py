"""Secrets at rest: readable with the key, and by nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.sealing import Unreadable, resealed, seal, unseal

OTHER = "another key that is long enough to be one"


class TestSeal:
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_gives_back_what_it_was_given(self, text):
        assert unseal(seal(text)) == text

    def test_writes_it_differently_each_time_and_never_openly(self):
        assert "s3cret" not in seal("s3cret")
        assert seal("s3cret") != seal("s3cret")

    def test_is_opened_by_no_other_key(self, settings):
        sealed = seal("s3cret")
        settings.SECRET_KEY = OTHER
        with pytest.raises(Unreadable, match="give the secret again"):
            unseal(sealed)

    def test_is_opened_by_a_key_that_was_replaced(self, settings):
        sealed, old = seal("s3cret"), settings.SECRET_KEY
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OTHER, [old]
        assert unseal(sealed) == "s3cret"

    @pytest.mark.parametrize(
        "change", [lambda text: text[:-4] + "AAA=", lambda text: text[:20], lambda _: "", lambda _: "x"]
    )
    def test_notices_any_change(self, change):
        with pytest.raises(Unreadable):
            unseal(change(seal("s3cret")))


class TestResealed:
    def test_leaves_what_the_present_key_opens(self):
        sealed = seal("s3cret")
        assert resealed(sealed) == sealed

    def test_needs_the_replaced_key_no_more(self, settings):
        sealed, old = seal("s3cret"), settings.SECRET_KEY
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OTHER, [old]
        anew = resealed(sealed)
        settings.SECRET_KEY_FALLBACKS = []
        assert unseal(anew) == "s3cret"
        with pytest.raises(Unreadable):
            resealed(sealed)
