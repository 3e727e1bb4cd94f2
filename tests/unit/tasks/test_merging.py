"""Two people edit one task: who keeps what, and when they must talk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.errors import Stale
from techtrack.tasks.domain.merging import Clash, Clashing, Edit, merge

OLGA, TOM, VERA, MALLORY = 1, 2, 3, 4


def share(user, level="read"):
    return {"user": user, "level": level}


def step(key, title="x"):
    return {"key": key, "type": "tick", "title": title}


def edited(*changes):
    """One edit for each (field, before, after), from version 2 on."""
    return [Edit(number, {name: old}, {name: new}) for number, (name, old, new) in enumerate(changes, 2)]


def merged(yours, *changes):
    """What is written for who had read version 1."""
    return merge(yours, read=1, version=1 + len(changes), edits=edited(*changes))


def clashes(yours, *changes):
    with pytest.raises(Clashing) as caught:
        merged(yours, *changes)
    return list(caught.value.clashes)


class TestMerge:
    def test_writes_all_where_nobody_else_wrote(self):
        assert merged({"title": "a", "owners": [TOM]}) == {"title": "a", "owners": [TOM]}

    def test_keeps_both_where_each_changed_another_field(self):
        assert merged({"title": "a"}, ("priority", 2, 4), ("due_date", None, "2026-12-01T00:00:00Z")) == {"title": "a"}

    def test_names_exactly_what_both_changed(self):
        yours = {"title": "yours", "description": "d", "priority": 1}
        assert clashes(yours, ("title", "old", "theirs"), ("priority", 2, 3), ("state", "open", "done")) == [
            Clash("title", None, "theirs", "yours"),
            Clash("priority", None, 3, 1),
        ]

    def test_tells_a_clash_as_stale_with_a_pointer_to_each(self):
        with pytest.raises(Stale, match="title") as caught:
            merged({"title": "yours"}, ("title", "old", "theirs"))
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/title", "stale")]

    @pytest.mark.parametrize(
        ("yours", "changes", "expected"),
        [
            pytest.param("new", [("old", "new")], {}, id="both wrote the same"),
            pytest.param("old", [("old", "new")], {}, id="sent back as it was read: theirs stays"),
            pytest.param("mine", [("old", "new"), ("new", "old")], {"title": "mine"}, id="changed and changed back"),
            pytest.param("b", [("old", "a"), ("a", "b")], {}, id="the last of several edits counts"),
        ],
    )
    def test_a_value_that_agrees_is_no_clash(self, yours, changes, expected):
        assert merged({"title": yours}, *(("title", old, new) for old, new in changes)) == expected

    def test_a_value_of_an_edit_in_between_is_one(self):
        found = clashes({"title": "a"}, ("title", "old", "a"), ("title", "a", "b"))
        assert found == [Clash("title", None, "b", "a")]

    def test_the_order_of_what_is_known_does_not_matter(self):
        edits = edited(("title", "old", "a"), ("title", "a", "b"))
        assert merge({"title": "old"}, read=1, version=3, edits=edits[::-1]) == {}

    def test_what_happened_before_the_caller_read_does_not_matter(self):
        edits = edited(("title", "old", "a"))
        assert merge({"title": "mine"}, read=2, version=2, edits=edits) == {"title": "mine"}

    @pytest.mark.parametrize(
        ("read", "version", "versions"),
        [
            pytest.param(1, 4, [2, 4], id="an edit is not known"),
            pytest.param(1, 3, [2], id="the last edit is not known"),
            pytest.param(1, 2, [], id="nothing is known"),
            pytest.param(5, 4, [2, 3, 4], id="a version that there never was"),
        ],
    )
    def test_does_not_guess(self, read, version, versions):
        edits = [Edit(number, {}, {}) for number in versions]
        with pytest.raises(Stale) as caught:
            merge({"title": "a"}, read=read, version=version, edits=edits)
        assert not isinstance(caught.value, Clashing)


class TestMergeOfLists:
    @pytest.mark.parametrize(
        ("base", "theirs", "yours", "expected"),
        [
            pytest.param([OLGA], [OLGA, TOM], [OLGA, VERA], [OLGA, VERA, TOM], id="each added somebody"),
            pytest.param([OLGA, TOM], [OLGA], [OLGA, TOM, VERA], [OLGA, VERA], id="one left and one came"),
            pytest.param([OLGA, TOM], [OLGA], [TOM, VERA, OLGA], [VERA, OLGA], id="who left does not come back"),
            pytest.param([OLGA, TOM, VERA], [OLGA, TOM], [OLGA, VERA], [OLGA], id="each took somebody out"),
            pytest.param([OLGA], [TOM], [OLGA, VERA], [VERA, TOM], id="handed over, and somebody joins"),
        ],
    )
    def test_owners_go_by_person(self, base, theirs, yours, expected):
        assert sorted(merged({"owners": yours}, ("owners", base, theirs))["owners"]) == sorted(expected)

    def test_both_added_the_same_person(self):
        assert merged({"owners": [OLGA, TOM]}, ("owners", [OLGA], [OLGA, TOM, VERA])) == {}

    def test_nobody_is_left_with_work_that_each_gave_to_the_other(self):
        found = clashes({"owners": [TOM]}, ("owners", [OLGA, TOM], [OLGA]))
        assert found == [Clash("owners", None, [OLGA], [TOM])]

    def test_no_owner_is_what_one_may_wish(self):
        assert merged({"owners": []}, ("owners", [OLGA, TOM], [OLGA])) == {"owners": []}

    def test_shares_go_by_person_with_their_level(self):
        base = [share(TOM), share(MALLORY)]
        yours = [share(TOM, "write"), share(MALLORY)]
        found = merged({"shared_with": yours}, ("shared_with", base, [share(TOM), share(VERA)]))
        assert found == {"shared_with": [share(TOM, "write"), share(VERA)]}

    @pytest.mark.parametrize(
        ("theirs", "yours", "shown"),
        [
            pytest.param([share(TOM, "write")], [share(TOM, "comment")], ("write", "comment"), id="two levels"),
            pytest.param([], [share(TOM, "comment")], (None, "comment"), id="taken out there, raised here"),
            pytest.param([share(TOM, "write")], [], ("write", None), id="raised there, taken out here"),
        ],
    )
    def test_two_who_decide_about_one_person_must_talk(self, theirs, yours, shown):
        (found,) = clashes({"shared_with": yours}, ("shared_with", [share(TOM)], theirs))
        assert (found.field, found.item, found.pointer) == ("shared_with", TOM, f"/shared_with/{TOM}")
        assert tuple(one and one["level"] for one in (found.theirs, found.yours)) == shown

    def test_checklists_go_by_step(self):
        base = [step("a"), step("b"), step("c")]
        theirs = [step("a"), step("b", "theirs"), step("c"), step("d")]
        yours = [step("a", "yours"), step("new"), step("b")]
        found = merged({"checklist": yours}, ("checklist", base, theirs))
        assert found == {"checklist": [step("a", "yours"), step("new"), step("b", "theirs"), step("d")]}

    def test_one_step_that_both_reworded_is_the_only_clash(self):
        base = [step("a"), step("b")]
        theirs, yours = [step("a", "theirs"), step("b", "theirs")], [step("a"), step("b", "yours"), step("c")]
        found = clashes({"checklist": yours}, ("checklist", base, theirs))
        assert found == [Clash("checklist", "b", step("b", "theirs"), step("b", "yours"))]

    def test_who_moved_steps_decides_their_order(self):
        base = [step("a"), step("b"), step("c")]
        found = merged({"checklist": base[::-1]}, ("checklist", base, [*base, step("d")]))
        assert [one["key"] for one in found["checklist"]] == ["c", "d", "b", "a"]

    def test_two_who_moved_steps_must_talk(self):
        base = [step("a"), step("b"), step("c")]
        theirs, yours = [base[1], base[0], base[2]], [base[0], base[2], base[1]]
        assert clashes({"checklist": yours}, ("checklist", base, theirs)) == [Clash("checklist", None, theirs, yours)]

    def test_reminders_are_what_they_say(self):
        hour, day, moment = {"before": "PT1H"}, {"before": "P1D"}, {"at": "2026-12-01T00:00:00Z"}
        found = merged({"reminders": [hour, day]}, ("reminders", [hour], [moment]))
        assert found == {"reminders": [day, moment]}

    def test_a_list_that_was_none_is_one_value(self):
        assert clashes({"checklist": []}, ("checklist", None, [step("a")])) == [
            Clash("checklist", None, [step("a")], [])
        ]


people = st.lists(st.integers(1, 6), unique=True)
tasks = st.fixed_dictionaries({"title": st.sampled_from("abc"), "priority": st.integers(1, 3), "owners": people})


class TestMergeWhatever:
    def outcome(self, base, theirs, yours):
        try:
            found = merge(yours, read=1, version=2, edits=[Edit(2, base, theirs)])
        except Clashing as error:
            return {clash.field for clash in error.clashes}
        return theirs | found

    @given(tasks, tasks, tasks)
    def test_it_does_not_matter_who_was_first(self, base, theirs, yours):
        ours, other = self.outcome(base, theirs, yours), self.outcome(base, yours, theirs)
        if isinstance(ours, dict):
            assert isinstance(other, dict)
            assert sorted(ours.pop("owners")) == sorted(other.pop("owners"))
        assert ours == other

    @given(tasks, tasks)
    def test_who_changed_nothing_changes_nothing(self, base, theirs):
        assert self.outcome(base, theirs, base) == theirs
        assert self.outcome(base, theirs, theirs) == theirs

    @given(tasks, tasks, tasks)
    def test_what_is_merged_holds_every_change_and_no_other(self, base, theirs, yours):
        found = self.outcome(base, theirs, yours)
        if isinstance(found, set):
            return
        for name in ("title", "priority"):
            assert found[name] in ({theirs[name], yours[name]} - {base[name]} or {base[name]})
        was, now, wanted = (set(one["owners"]) for one in (base, theirs, yours))
        assert set(found["owners"]) == (was - (was - now) - (was - wanted)) | (now - was) | (wanted - was)
