"""The house as HOUSE says it: budgets, one writer, one place for status codes, no fetched clock, plain packages."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from tests.architecture import house
from tests.architecture.house import Source

# Writes outside services: each entry is `path call`, and the reason stands above it.
ALLOWED_WRITERS = {
    # The record of an idempotent POST belongs to the door: no service knows that HTTP repeats itself.
    "techtrack/core/api/idempotency.py",
    # What the judge knows between two batches: written by the judge alone, in the transaction of its findings.
    "techtrack/alerts/memory.py",
    # A chart, or a small picture, is saved as the bytes of an image.
    "techtrack/notifications/domain/chart.py",
    "techtrack/tasks/files/pictures.py",
}


def planted(path: str, text: str) -> Source:
    """A file that somebody might write."""
    return Source(f"techtrack/{path}", text)


class TestBudgets:
    def test_no_function_is_over_60_lines_and_no_file_over_400(self):
        assert [finding for source in house.sources() for finding in house.over_budget(source)] == []

    def test_the_median_function_has_at_most_9_lines(self):
        assert house.median_length(house.sources()) <= house.MEDIAN_FUNCTION

    def test_a_planted_long_function_is_caught(self):
        body = "\n".join(f"    a = {number}" for number in range(60))
        assert house.over_budget(planted("x.py", f"def long():\n{body}\n"))

    def test_a_planted_long_file_is_caught(self):
        assert house.over_budget(planted("x.py", "a = 1\n" * 401))

    def test_a_docstring_does_not_count(self):
        told = "\n".join("    word" for _ in range(80))
        assert not house.over_budget(planted("x.py", f'def told():\n    """Say.\n\n{told}\n    """\n    return 1\n'))


class TestOneWriter:
    def test_only_services_and_what_stands_beside_them_write(self):
        found = [finding for source in house.sources() for finding in house.writes(source)]
        assert [finding for finding in found if finding.split(":")[0] not in ALLOWED_WRITERS] == []

    def test_the_allow_list_holds_nothing_that_is_not_needed(self):
        writers = {finding.split(":")[0] for source in house.sources() for finding in house.writes(source)}
        assert writers >= ALLOWED_WRITERS

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("asset.save()", id="save"),
            pytest.param("serializer.save(owner=user)", id="save through a serializer"),
            pytest.param("Asset.objects.create(name='x')", id="create"),
            pytest.param("Asset.objects.filter(pk=1).update(name='x')", id="update of a chain"),
            pytest.param("rows.update(name='x')", id="update of a queryset in a variable"),
            pytest.param("Asset.objects.visible_to(by).delete()", id="delete"),
            pytest.param("Asset._default_manager.bulk_create([])", id="bulk_create"),
            pytest.param("asset.change(expected=3, now=now, name='x')", id="conditional change"),
            pytest.param("asset.remove(expected=None)", id="conditional removal"),
        ],
    )
    def test_a_planted_write_in_a_door_is_caught(self, line):
        assert house.writes(planted("assets/api/viewsets.py", line))
        assert not house.writes(planted("assets/services.py", line))

    @pytest.mark.parametrize("line", ["seen.update({1: 2})", "names.remove('x')", "services.create_asset(by=by)"])
    def test_what_only_looks_like_a_write_passes(self, line):
        assert not house.writes(planted("assets/api/viewsets.py", line))


class TestStatusCodes:
    def test_codes_of_errors_appear_only_in_problems(self):
        assert [finding for source in house.sources() for finding in house.status_codes(source)] == []

    @pytest.mark.parametrize(
        "line",
        [
            "return Response(status=404)",
            "raise_with(status.HTTP_409_CONFLICT)",
            "return HttpResponseForbidden()",
            "send({'type': 'http.response.start', 'status': 503})",
        ],
    )
    def test_a_planted_code_is_caught(self, line):
        assert house.status_codes(planted("web/views/x.py", f"def f():\n    {line}\n"))

    @pytest.mark.parametrize("line", ["Response(status=201)", "extend_schema(responses={404: None})", "limit = 500"])
    def test_success_and_documentation_pass(self, line):
        assert not house.status_codes(planted("tasks/api/viewsets.py", line))


class TestClock:
    def test_domain_services_and_queries_fetch_no_time(self):
        assert [finding for source in house.sources() for finding in house.fetches(source)] == []

    @pytest.mark.parametrize(
        ("path", "line"),
        [
            ("alerts/services.py", "clock.now()"),
            ("alerts/services.py", "clock.plant_now()"),
            ("alerts/domain/lifecycle.py", "datetime.now(UTC)"),
            ("tasks/queries.py", "timezone.now()"),
            ("alerts/domain/lifecycle.py", "random.random()"),
        ],
    )
    def test_a_planted_fetch_is_caught(self, path, line):
        assert house.fetches(planted(path, line))

    def test_a_door_may_look_at_the_clock(self):
        assert not house.fetches(planted("alerts/api/viewsets.py", "clock.now()"))


class TestPackages:
    def test_every_package_is_one_docstring_that_says_what_it_owns(self):
        assert [finding for source in house.sources() for finding in house.package_with_code(source)] == []

    @pytest.mark.parametrize("text", ["", "import os", '"""Owns."""\nfrom techtrack.assets.models import Asset\n'])
    def test_a_planted_package_without_docstring_or_with_code_is_caught(self, text):
        assert house.package_with_code(planted("assets/__init__.py", text))

    @pytest.mark.parametrize("room", ["services", "store/encoding"])
    def test_a_package_inside_an_app_gathers_the_names_of_its_own_files_and_nothing_else(self, room):
        path, own = f"assets/{room}/__init__.py", f"techtrack.assets.{room.replace('/', '.')}.kinds"
        gathered = f'"""Owns."""\nfrom {own} import create\n__all__ = ["create"]\n'
        assert not house.package_with_code(planted(path, gathered))
        for foreign in (gathered + "create()\n", gathered.replace(own, "techtrack.assets.models"), gathered[:-24]):
            assert house.package_with_code(planted(path, foreign))


class TestMigrations:
    @pytest.mark.parametrize(("app", "names"), [pytest.param(*found, id=found[0]) for found in house.migrations()])
    def test_are_named_and_linear(self, app, names):
        assert house.unnamed_or_branched(names) == []

    @pytest.mark.parametrize(
        "names",
        [["0001_initial", "0002_auto_20260101_1200"], ["0001_initial", "0002_a", "0002_b"], ["0001_initial", "0003_c"]],
    )
    def test_a_planted_bad_line_is_caught(self, names):
        assert house.unnamed_or_branched(names)

    def test_match_the_models(self, db):
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)
