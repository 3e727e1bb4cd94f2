"""Rules exported to files and imported from them: the same rules come back, all or nothing is written."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from techtrack import cli
from techtrack.accounts.queries import access_of
from techtrack.alerts import services
from techtrack.alerts.domain import files
from techtrack.alerts.domain.terms import severities_of
from techtrack.alerts.models import Rule, RuleRevision
from techtrack.alerts.queries import rules_told
from techtrack.alerts.queries.files import NoName
from techtrack.alerts.services import import_rules
from techtrack.core import plain_yaml
from techtrack.core.errors import Forbidden, Invalid, NotFound
from tests import factories
from tests.factories import NOW
from tests.unit.alerts.watching import any_rule

HOT = {"kind": "above", "limit": 80, "severity": "high"}


def book(*rules, **top):
    """A file of rules, as JSON, which is YAML."""
    plain = {"parameter": "temperature", "conditions": [HOT]}
    return json.dumps({**top, "rules": [{"name": "Hot"} | plain | one for one in rules]})


def write(text, user, **options):
    return import_rules(rules=files.read(text).rules, by=access_of(user), now=NOW, **options)


def told(effects):
    return [(effect.rule, effect.what) for effect in effects]


def exported(user, site=None):
    return files.write(rules_told(access=access_of(user), site=site).rules, site=site)


def refused(text, user, error=files.BadFile):
    before = list(Rule.objects.values_list("pk", "version"))
    with pytest.raises(error) as caught:
        write(text, user)
    assert list(Rule.objects.values_list("pk", "version")) == before
    return [(fault.pointer, fault.detail) for fault in getattr(caught.value, "faults", ())]


class TestExport:
    def test_of_rules_of_all_kinds_is_imported_as_it_was(self, adam, plant, robot):
        dice = random.Random(7)
        scopes = [{}, {"site": plant}, {"asset_type": robot.type}, {"assets": [robot.pk]}, {"tags": ["b", "a"]}]
        made, known = [], set()
        for number in range(60):
            scope = dice.randrange(len(scopes))
            if (number // 2, scope) in known:
                continue
            known.add((number // 2, scope))
            more = {
                "latched": dice.random() < 0.5,
                "enabled": dice.random() < 0.8,
                "inhibited_by": dice.sample(made, min(len(made), dice.choice([0, 0, 1, 2]))),
                "guidance": dice.choice([{}, {"action": "Look: no — äöü\nagain", "respond_within": "PT10M"}]),
                "open_task": dice.choice([None, {"title": "1e5", "priority": 3}]),
            }
            rule = any_rule(dice)
            if severities_of(rule["conditions"], rule.get("no_data")) != {"critical"}:
                more["escalation"] = dice.choice([[], [{"after": "PT10M", "severity": "critical"}]])
            made.append(factories.make_rule(name=f"Rule {number // 2}", **rule, **scopes[scope], **more).pk)
        text = exported(adam)
        definitions = self.definitions()
        assert {what for _, what in told(write(text, adam))} == {"unchanged"}
        Rule.objects.all().delete()
        assert {what for _, what in told(write(text, adam))} == {"created"}
        assert exported(adam) == text
        assert self.definitions() == definitions
        assert {what for _, what in told(write(text, adam))} == {"unchanged"}

    def definitions(self):
        """What rules say, with names for numbers of rules."""
        names = dict(Rule.objects.values_list("pk", "name"))
        apart = {"scope", "inhibited_by"}
        told = [
            {name: value for name, value in rule.definition.items() if name not in apart}
            | {"inhibited_by": sorted(names[pk] for pk in rule.inhibited_by), "scope": {"tags": sorted(rule.tags)}}
            for rule in Rule.objects.all()
        ]
        plain = [plain_yaml.load(plain_yaml.dump(files.normal(one))) for one in told]
        return sorted(json.dumps(one, sort_keys=True) for one in plain)

    def test_names_what_ids_stand_for(self, adam, plant, robot):
        shy = factories.make_equipment("Shy", site=plant)
        factories.make_rule(name="A", site=plant, asset_type=robot.type)
        other = factories.make_rule(name="B", assets=[robot.pk, shy.pk])
        factories.make_rule(name="C", inhibited_by=[other.pk])
        scopes = [(one["scope"], one["inhibited_by"]) for one in rules_told(access=access_of(adam)).rules]
        assert scopes == [
            ({"site": "Plant", "asset_type": "robot", "assets": [], "tags": []}, []),
            ({"assets": ["Shy", "robot-1"], "tags": []}, []),
            ({"assets": [], "tags": []}, ["B"]),
        ]

    def test_of_one_site_is_of_no_other(self, adam, plant, other_site):
        factories.make_rule(name="A", site=plant)
        factories.make_rule(name="B", site=other_site)
        factories.make_rule(name="C")
        assert files.read(exported(adam, "Plant")).site == "Plant"
        assert [one.name.name for one in files.read(exported(adam, "Plant")).rules] == ["A"]
        with pytest.raises(NotFound):
            exported(adam, "Nowhere")

    def test_tells_rules_of_one_name_apart(self, adam, plant, other_site):
        first, second = (factories.make_rule(name="Silent", site=site) for site in (plant, other_site))
        factories.make_rule(name="Hot", inhibited_by=[second.pk])
        text = exported(adam)
        assert "- {name: Silent, scope: {site: Elsewhere}}" in text
        assert {what for _, what in told(write(text, adam))} == {"unchanged"}
        assert first.inhibited_by == []

    def test_refuses_what_nobody_could_tell_apart(self, adam, plant):
        first = factories.make_rule(name="Hot")
        again = factories.make_rule(name="Hot")
        with pytest.raises(NoName, match=f"rules {first.pk}, {again.pk} 'Hot' watch the same"):
            exported(adam)
        again.delete()
        twins = [factories.make_equipment("Twin", site=plant) for _ in range(2)]
        factories.make_rule(name="Twins", assets=[twins[0].pk])
        with pytest.raises(NoName, match="give number"):
            exported(adam)

    def test_leaves_out_a_rule_whose_assets_are_gone(self, adam, robot):
        # Without them it would watch all.
        factories.make_rule(name="Gone", assets=[999_999])
        factories.make_rule(name="Half", assets=[999_999, robot.pk])
        export = rules_told(access=access_of(adam))
        assert [one["scope"]["assets"] for one in export.rules] == [["robot-1"]]
        assert export.idle == ["Gone"]


class TestImport:
    def test_creates_updates_and_leaves_alone(self, adam, plant, robot):
        text = book(
            {"scope": {"assets": ["robot-1"]}}, {"name": "Cold", "scope": {"site": "Plant", "asset_type": "robot"}}
        )
        assert told(write(text, adam)) == [("Hot (robot-1)", "created"), ("Cold (robot at Plant)", "created")]
        hot, cold = Rule.objects.order_by("-name")
        assert (hot.assets, cold.site, cold.asset_type) == ([robot.pk], plant, robot.type)
        changed = book(
            {"scope": {"assets": ["robot-1"]}, "deadband": 2, "conditions": [{**HOT, "limit": 90}]},
            {"name": "Cold", "scope": {"site": "Plant", "asset_type": "robot"}},
        )
        effects = write(changed, adam)
        assert told(effects) == [("Hot (robot-1)", "updated"), ("Cold (robot at Plant)", "unchanged")]
        assert effects[0].differences == [("/conditions/0/limit", 80, 90), ("/deadband", 0.0, 2.0)]
        hot.refresh_from_db()
        assert (hot.deadband, hot.conditions[0]["limit"], hot.revision) == (2.0, 90, 2)
        cold.refresh_from_db()
        assert cold.version == 1
        assert RuleRevision.objects.get(rule=hot, number=2).by_id == adam.pk

    def test_gives_a_member_that_is_left_out_its_default(self, adam):
        more = {
            "aggregate": {"window": "PT1M"},
            "latched": True,
            "late_data": {"max_age": "PT5M"},
            "guidance": {"action": "Look"},
        }
        write(book(more), adam)
        write(book({}), adam)
        rule = Rule.objects.get()
        assert (rule.aggregate, rule.latched, rule.late_max_age.total_seconds(), rule.guidance) == (
            None,
            False,
            3600,
            {},
        )

    def test_knows_a_rule_by_name_and_scope(self, adam, plant):
        write(book({}), adam)
        effects = write(book({"scope": {"site": "Plant"}}), adam)
        assert told(effects) == [("Hot (at Plant)", "created")]
        assert Rule.objects.count() == 2

    def test_finds_no_change_in_what_a_pack_or_the_api_wrote(self, adam, erik, api, plant):
        services.follow_pack(type_id=factories.make_type("pump").pk, pack="pump", by=access_of(adam), now=NOW)
        rule = {
            "name": "By hand",
            "scope": {"site": plant.pk},
            "parameter": "t",
            "conditions": [HOT],
            "aggregate": {"window": "PT60S"},
            "no_data": {"after": "3x"},
            "open_task": {"title": "Look"},
            "guidance": {"cause": "", "respond_within": "PT90M"},
            "schedule": {"timezone": "UTC", "rrule": "FREQ=DAILY", "duration": "PT60M"},
        }
        assert api(erik).post("/api/rules/", rule, format="json").status_code == 201
        assert {what for _, what in told(write(exported(adam), adam))} == {"unchanged"}

    def test_lets_rules_of_a_file_hide_each_other_whatever_their_order(self, adam):
        write(book({"name": "C", "inhibited_by": ["B"]}, {"name": "B", "inhibited_by": ["A"]}, {"name": "A"}), adam)
        by_name = {rule.name: rule for rule in Rule.objects.all()}
        assert (by_name["C"].inhibited_by, by_name["B"].inhibited_by) == ([by_name["B"].pk], [by_name["A"].pk])
        # The other way round: no circle is closed on the way.
        turned = book({"name": "C"}, {"name": "B", "inhibited_by": ["C"]}, {"name": "A", "inhibited_by": ["B"]})
        effects = write(turned, adam)
        assert effects[0].differences == [("/inhibited_by", ["B"], [])]
        assert {what for _, what in told(effects)} == {"updated"}
        assert told(write(turned, adam)) == [
            ("C (everywhere)", "unchanged"),
            ("B (everywhere)", "unchanged"),
            ("A (everywhere)", "unchanged"),
        ]

    @pytest.mark.parametrize(
        "circle",
        [
            pytest.param([{"inhibited_by": ["Hot"]}], id="itself"),
            pytest.param([{"inhibited_by": ["B"]}, {"name": "B", "inhibited_by": ["Hot"]}], id="each other"),
        ],
    )
    def test_refuses_rules_that_hide_themselves(self, adam, circle):
        ((pointer, said),) = refused(book(*circle), adam)
        assert (pointer.endswith("/inhibited_by"), said) == (True, "a rule would hide its own alerts")

    def test_refuses_a_circle_through_a_rule_that_is_there(self, adam):
        write(book({}, {"name": "There", "inhibited_by": ["Hot"]}), adam)
        ((pointer, _),) = refused(book({"inhibited_by": ["There"]}), adam)
        assert pointer.startswith("#/rules/0")

    def test_finds_inhibitors_however_their_assets_are_named(self, adam, robot):
        hides = {"name": "Hot", "scope": {"assets": ["Robot 1"]}}
        effects = write(book({"name": "A", "inhibited_by": [hides]}, {"scope": {"assets": ["robot-1"]}}), adam)
        assert {what for _, what in told(effects)} == {"created"}

    def test_does_not_prune_what_hides_rules_of_the_file(self, adam):
        factories.make_rule(name="Old")
        with pytest.raises(Invalid, match="'Old' would be deleted"):
            write(book({"inhibited_by": ["Old"]}), adam, prune=[None])
        assert Rule.objects.count() == 1

    def test_lets_a_rule_that_is_there_hide_one_of_the_file(self, adam):
        there = factories.make_rule(name="There")
        write(book({"inhibited_by": ["There"]}), adam)
        assert Rule.objects.get(name="Hot").inhibited_by == [there.pk]

    def test_tells_all_that_it_does_not_know(self, adam, plant):
        for _ in range(2):
            factories.make_equipment("Twin", site=plant)
        text = book(
            {"scope": {"site": "Nowhere", "asset_type": "rocket", "assets": ["nobody", "Twin"]}},
            {"name": "Other"},
            {"name": "Third", "scope": {"site": "Elsewhere"}},
        )
        assert [pointer for pointer, _ in refused(text, adam)] == [
            "#/rules/0/scope/site",
            "#/rules/0/scope/asset_type",
            "#/rules/0/scope/assets/0",
            "#/rules/0/scope/assets/1",
            "#/rules/2/scope/site",
        ]

    def test_refuses_inhibitors_that_it_cannot_find(self, adam, plant):
        factories.make_rule(name="Two")
        factories.make_rule(name="Two", site=plant)
        by = ["One", "Two", {"name": "Two", "scope": {"site": "Plant"}}, {"name": "Two", "scope": {"tags": ["a"]}}]
        faults = refused(book({"inhibited_by": by}), adam)
        assert [pointer for pointer, _ in faults] == [f"#/rules/0/inhibited_by/{place}" for place in (0, 1, 3)]
        assert "there are 2 rules 'Two'" in faults[1][1]

    def test_refuses_a_rule_that_is_there_twice(self, adam):
        for _ in range(2):
            factories.make_rule(name="Hot")
        assert [pointer for pointer, _ in refused(book({}), adam)] == ["#/rules/0/name"]

    def test_refuses_two_that_mean_the_same_by_other_names(self, adam, robot):
        text = book({"scope": {"assets": ["robot-1"]}}, {"scope": {"assets": ["Robot 1"]}})
        assert [pointer for pointer, _ in refused(text, adam)] == ["#/rules/1/name"]

    def test_writes_all_or_nothing(self, erik):
        # The second is not for an engineer of one site.
        refused(book({"scope": {"site": "Plant"}}, {"name": "Everywhere"}), erik, Forbidden)

    def test_of_somebody_knows_only_what_he_may_see(self, erik, other_site):
        assert [pointer for pointer, _ in refused(book({"scope": {"site": "Elsewhere"}}), erik)] == [
            "#/rules/0/scope/site"
        ]

    def test_dry_writes_nothing_and_tells_the_same(self, adam):
        factories.make_rule(name="Old")
        text = book({}, {"name": "New", "inhibited_by": ["Hot"]})
        effects = write(text, adam, dry_run=True, prune=[None])
        assert told(effects) == [
            ("Hot (everywhere)", "created"),
            ("New (everywhere)", "created"),
            ("Old (everywhere)", "deleted"),
        ]
        assert list(Rule.objects.values_list("name", flat=True)) == ["Old"]
        assert told(write(text, adam, prune=[None])) == told(effects)

    def test_prunes_only_the_site_of_the_file(self, adam, plant, other_site):
        for site in (plant, other_site, None):
            factories.make_rule(name="Old", site=site)
        text = book({"scope": {"site": "Plant"}}, site="Plant")
        effects = write(text, adam, prune=[files.read(text).site])
        assert told(effects) == [("Hot (at Plant)", "created"), ("Old (at Plant)", "deleted")]
        assert Rule.objects.filter(name="Old").count() == 2

    def test_of_an_engineer_prunes_only_what_he_may_write(self, erik, plant):
        factories.make_rule(name="Everybody's")
        factories.make_rule(name="His", site=plant)
        assert told(write(book(), erik, prune=[None])) == [("His (at Plant)", "deleted")]


@pytest.fixture
def techtrack(monkeypatch, tmp_path):
    """``techtrack(…)``: the command, run in an empty folder; its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(cli.main, ["rules", *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return run


@pytest.mark.usefixtures("db")
class TestCommands:
    def test_export_and_import(self, techtrack, tmp_path, plant):
        factories.make_rule(name="Hot", site=plant)
        code, text = techtrack("export")
        assert code == 0
        assert techtrack("export", "--output", "rules.yaml") == (0, "1 rule written to rules.yaml.\n")
        assert (tmp_path / "rules.yaml").read_text(encoding="utf-8") == text
        assert techtrack("import", "rules.yaml") == (0, "1 unchanged.\n")
        (tmp_path / "rules.yaml").write_text(text.replace("limit: 80", "limit: 85"), encoding="utf-8")
        expected = "~ Hot (at Plant)\n    conditions/0/limit: 80 → 85\n1 updated.\n"
        assert techtrack("import", "rules.yaml", "--dry-run") == (
            0,
            expected + "Nothing was written: this was a dry run.\n",
        )
        assert techtrack("import", "rules.yaml") == (0, expected)

    def test_export_to_a_folder(self, techtrack, tmp_path, plant):
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "old.yaml").write_text("", encoding="utf-8")
        for site in (plant, None):
            factories.make_rule(name="Hot & dry!", site=site)
        code, said = techtrack("export", "--output", "rules")
        assert (code, "old.yaml was there before" in said) == (0, True)
        (tmp_path / "rules" / "old.yaml").unlink()
        assert sorted(path.name for path in (tmp_path / "rules").iterdir()) == ["hot-dry-2.yaml", "hot-dry.yaml"]
        assert techtrack("import", "rules", "--prune") == (0, "2 unchanged.\n")

    def test_import_says_the_line(self, techtrack, tmp_path):
        text = files.write([]).replace(
            "rules: []", "rules:\n  - name: Hot\n    parameter: t\n    conditions:\n      - {kind: abov, limit: 80}"
        )
        (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
        code, said = techtrack("import", "rules.yaml")
        line = text.splitlines().index("      - {kind: abov, limit: 80}") + 1
        assert code == 2
        assert said.startswith(f"rules.yaml:{line}: rules/0/conditions/0/kind: 'abov' is not a known condition")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            pytest.param(None, "there is no file or folder rules.yaml", id="no file"),
            pytest.param(b"\xff", "no text in UTF-8", id="no text"),
            pytest.param(b"rules: [", "rules.yaml: line 2, column 1: this is no YAML: while parsing", id="no YAML"),
            pytest.param(b"rules: other.yaml", "list of at most", id="the path of another"),
        ],
    )
    def test_import_refuses_what_is_no_file_of_rules(self, techtrack, tmp_path, text, said):
        if text is not None:
            (tmp_path / "rules.yaml").write_bytes(text)
        code, output = techtrack("import", "rules.yaml")
        assert code == 2
        assert said in output

    def test_import_in_the_name_of_somebody(self, techtrack, tmp_path, erik):
        (tmp_path / "rules.yaml").write_text(book({"scope": {"site": "Plant"}}), encoding="utf-8")
        assert (
            techtrack("import", "rules.yaml", "--as-user", "erk")[1] == "there is no user 'erk': did you mean 'erik'?\n"
        )
        assert techtrack("import", "rules.yaml", "--as-user", "erik")[0] == 0
        assert RuleRevision.objects.get().by_id == erik.pk


TESTS = """\
interval: PT10S
tests:
  - name: A peak
    series: {temperature: 70x3 85x2 70}
    expect: [{severity: high, raised: PT30S, returned: PT50S}]
  - name: Wrong
    series: {temperature: 70x3 85x2 70}
    expect: [{severity: low, raised: PT30S}]
"""


class TestTestCommand:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "rules.yaml").write_text(book({}), encoding="utf-8")
        (tmp_path / "good.yaml").write_text(
            "rules: rules.yaml\n" + TESTS.partition("  - name: Wrong")[0], encoding="utf-8"
        )
        (tmp_path / "bad.yaml").write_text("rules: rules.yaml\n" + TESTS, encoding="utf-8")
        return tmp_path

    def test_passes(self, techtrack, folder):
        assert techtrack("test", "good.yaml") == (0, "good.yaml: 1 passed\n")

    def test_needs_no_django(self, folder):
        code = (
            "import sys; from pathlib import Path; from techtrack.alerts.console.trying import run_tests;"
            "code = run_tests([Path('good.yaml')], junit=None); sys.exit(code or 'django' in sys.modules)"
        )
        clean = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        root = Path(cli.__file__).resolve().parents[1]
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=clean | {"PYTHONPATH": str(root)},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def test_tells_what_was_expected_and_what_came(self, techtrack, folder):
        code, said = techtrack("test", "good.yaml", "bad.yaml", "--junit", "out.xml")
        assert code == 1
        assert said == (
            "good.yaml: 1 passed\n"
            "bad.yaml:7: Wrong: 'Hot' does something else\n"
            "    expected  low from PT30S to the end\n"
            "    got       high from PT30S to PT50S\n"
            "bad.yaml: 1 passed, 1 failed\n"
        )
        suites = ET.parse(folder / "out.xml").getroot()  # noqa: S314 - we wrote it
        assert [(one.get("name"), one.get("tests"), one.get("failures")) for one in suites] == [
            ("good.yaml", "1", "0"),
            ("bad.yaml", "2", "1"),
        ]
        (failure,) = suites.iter("failure")
        assert "got       high from PT30S to PT50S" in failure.text

    def test_says_the_line_of_a_mistake(self, techtrack, folder):
        (folder / "bad.yaml").write_text("rules: rules.yaml\n" + TESTS.replace("85x2", "85y2"), encoding="utf-8")
        code, said = techtrack("test", "bad.yaml", "good.yaml", "--junit", "out.xml")
        assert code == 2
        assert said.splitlines()[0].startswith("bad.yaml:5: tests/0/series/temperature: '85y2' is no value")
        assert said.splitlines()[1].startswith("bad.yaml:8: ")
        assert said.splitlines()[2] == "good.yaml: 1 passed"
        error = next(ET.parse(folder / "out.xml").getroot().iter("error"))  # noqa: S314 - we wrote it
        assert error.get("message") == said.splitlines()[0]

    def test_says_the_line_in_the_file_of_the_rules(self, techtrack, folder):
        (folder / "rules.yaml").write_text("rules:\n  - name: Hot\n    conditions: []\n", encoding="utf-8")
        code, said = techtrack("test", "good.yaml")
        assert (code, said.startswith("rules.yaml:3: rules/0/conditions: ")) == (2, True)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("rules: []", "list of tests"),
            ("rules: .", "is a folder"),
            ("rules: none.yaml\ntests: []", "none.yaml"),
            ("", "begins with `rules:`"),
        ],
    )
    def test_refuses_what_is_no_test(self, techtrack, folder, text, said):
        (folder / "bad.yaml").write_text(text, encoding="utf-8")
        code, output = techtrack("test", "bad.yaml")
        assert code == 2
        assert said in output
