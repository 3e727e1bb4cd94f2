"""What gateways repeat of our secrets is not told on, however they write it."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.notifications.transports.apprise import _parts
from techtrack.notifications.transports.http import without

SECRET = "s3cr3t/t+k n&é"
SMALL = "s3cr3t%2ft%2bk%20n%26%c3%a9"


class TestWithout:
    @pytest.mark.parametrize(
        "written",
        [
            pytest.param(SECRET, id="as it is"),
            pytest.param(quote(SECRET, safe=""), id="in an address"),
            pytest.param(SMALL, id="in small letters"),
            pytest.param(quote(SECRET), id="in a path"),
            pytest.param(quote_plus(SECRET), id="in a form"),
            pytest.param("".join(f"%{byte:02x}" for byte in SECRET.encode()), id="every letter of it"),
            pytest.param(b64encode(SECRET.encode()).decode(), id="in base64"),
            pytest.param(urlsafe_b64encode(SECRET.encode()).decode().rstrip("="), id="in base64 for addresses"),
            pytest.param(json.dumps(SECRET)[1:-1], id="in JSON"),
            pytest.param(json.dumps(SECRET)[1:-1].replace("/", "\\/"), id="in the JSON of others"),
        ],
    )
    def test_masks_a_secret(self, written):
        masked = without([SECRET], f"You said {written}, which is wrong.")
        assert masked.startswith("You said ***")
        assert masked.endswith(", which is wrong.")
        assert len(masked) < len("You said ***abc, which is wrong.")

    @given(st.binary(max_size=9), st.text(min_size=12, max_size=30), st.binary(max_size=9))
    def test_leaves_hardly_a_letter_of_one_that_stands_inside_of_base64(self, before, secret, after):
        written = b64encode(before + secret.encode() + after).decode()
        masked = without([secret], written)
        whole = len(secret.encode()) * 8 // 6 - 2
        assert len(masked) <= len(written) - whole + 3

    def test_masks_what_stands_behind_basic(self):
        header = "Basic " + b64encode(b"plant:pa55word").decode()
        told = "no user plant:pa55word; pa55word is wrong, and so is " + header
        assert without([header], told) == "no user ***; *** is wrong, and so is ***"

    def test_leaves_ordinary_words(self):
        assert without(["a1", "on", ""], "a1 is on") == "a1 is on"

    def test_masks_what_may_be_a_key_of_a_service_and_not_its_host(self):
        url = "ntfys://user:pa55word@push.plant.example:8443/t0pic-key?token=tk_abcdef%2B1"
        told = "push.plant.example:8443 refuses pa55word for t0pic-key and tk_abcdef+1"
        assert without(_parts(url), told) == "push.plant.example:8443 refuses *** for *** and ***"
