"""Secret settings: masks that come back, and where secrets may go."""

from __future__ import annotations

import pytest

from techtrack.notifications.domain.transport import bound_of
from techtrack.notifications.models.secrets import MASK, SecretNeeded, completed, opened, sealed, shown

NAMES = frozenset({"secret", "headers"})
BOUND = frozenset({"url"})
CONFIG = {"url": "https://a.example/", "secret": "slack://x/y", "headers": {"X": "s3cret"}, "body": "json"}


@pytest.fixture
def stored():
    return sealed(CONFIG, NAMES)


class TestStored:
    def test_is_opened_again(self, stored):
        assert opened(stored) == CONFIG
        assert "s3cret" not in str(stored)

    def test_is_shown_with_masks(self, stored):
        assert shown(stored) == CONFIG | {"secret": f"slack://{MASK}", "headers": {"X": MASK}}

    def test_leaves_empty_secrets_empty(self):
        assert sealed({"secret": ""}, NAMES) == shown({"secret": ""}) == {"secret": ""}


class TestCompleted:
    def complete(self, new, old):
        return completed(new, old, names=NAMES, bound=BOUND)

    def test_puts_secrets_for_masks_and_for_what_is_stored(self, stored):
        # Django's admin shows what is stored, and sends it back.
        for new in (shown(stored), stored):
            assert self.complete(new, stored) == CONFIG

    def test_takes_new_ones_beside_kept_ones(self, stored):
        new = shown(stored) | {"headers": {"X": MASK, "Y": "new"}}
        assert self.complete(new, stored)["headers"] == {"X": "s3cret", "Y": "new"}

    def test_drops_what_is_left_out(self, stored):
        assert self.complete(shown(stored) | {"headers": {}}, stored)["headers"] == {}

    @pytest.mark.parametrize("kept", [{"headers": {}}, {"secret": ""}], ids=["the secret", "a header"])
    def test_sends_none_elsewhere(self, stored, kept):
        with pytest.raises(SecretNeeded, match="url has changed"):
            self.complete(shown(stored) | {"url": "https://b.example/"} | kept, stored)

    def test_keeps_them_where_what_binds_them_is_left_out(self, stored):
        new = {name: value for name, value in shown(stored).items() if name != "url"}
        assert self.complete(new, stored)["secret"] == CONFIG["secret"]

    def test_sends_none_of_an_sms_gateway_as_a_text(self):
        assert bound_of("sms_gateway") == {"url", "body"}

    def test_goes_elsewhere_with_new_ones(self, stored):
        new = CONFIG | {"url": "https://b.example/"}
        assert self.complete(new, stored) == new

    @pytest.mark.parametrize("old", [{}, {"secret": ""}])
    def test_refuses_a_mask_of_nothing(self, old):
        with pytest.raises(SecretNeeded) as caught:
            self.complete({"secret": MASK}, old)
        assert caught.value.faults[0].pointer == "/config/secret"

    def test_opens_nothing_that_was_stored_elsewhere(self, stored):
        other = sealed({"secret": "of another channel"}, NAMES)
        assert self.complete({"secret": other["secret"], "url": CONFIG["url"]}, stored)["secret"] == other["secret"]
