"""The written policy is complete: a row for every operation, page and topic, and nothing that is not served."""

from __future__ import annotations

from collections.abc import Collection

from techtrack.live.hub import hub
from tests.architecture import routes
from tests.integration.authorisation import policy, walk

LONGEST_LINE = 200


def gaps(rows: Collection[str], served: Collection[str]) -> list[str]:
    """What is served without a row, and rows of what is not served."""
    return sorted(
        {
            *(f"no row: {one}" for one in set(served) - set(rows)),
            *(f"not served: {one}" for one in set(rows) - set(served)),
        }
    )


class TestPolicy:
    def test_has_a_row_for_every_operation_and_no_other(self):
        written = [f"{row.operation} {row.at}" for row in policy.rows().values()]
        served = [f"{one.id} {one.method} {one.path}" for one in walk.operations().values()]
        assert gaps(written, served) == []

    def test_has_a_row_for_every_other_address(self):
        documented = {routes.shape(one.path) for one in walk.operations().values()}
        paths = {route.path for route in routes.routes("/")} - documented
        others = {path for path in paths if not path.startswith("/admin/")} | {"/admin/"}
        assert gaps(policy.written()["pages"], others) == []

    def test_has_a_row_for_every_topic(self):
        assert gaps(policy.written()["topics"], [topic.pattern for topic in hub.topics.kinds()]) == []

    def test_stays_readable(self):
        assert not [line for line in policy.FILE.read_text(encoding="utf-8").splitlines() if len(line) > LONGEST_LINE]


def test_a_planted_gap_is_found():
    assert gaps({"a", "b"}, {"b", "c"}) == ["no row: c", "not served: a"]
