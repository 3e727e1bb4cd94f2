"""The chain of the audit log, and who acts, without a database."""

from __future__ import annotations

import threading

import pytest

from techtrack.accounts.domain import chain
from techtrack.accounts.domain.chain import FIRST, Broken, Link
from techtrack.core import acting
from techtrack.core.acting import SYSTEM, Actor


def sealed(*contents):
    link, rows = FIRST, []
    for content in contents:
        link = Link(link.position + 1, chain.hash_of(link, content))
        rows.append((link, content))
    return rows


class TestChain:
    def test_that_holds_ends_at_its_last_link(self):
        rows = sealed(["a"], ["b"], ["c"])
        assert chain.follow(FIRST, rows) == rows[-1][0]

    def test_of_nothing_ends_where_it_begins(self):
        assert chain.follow(FIRST, []) == FIRST

    def test_has_the_hash_that_anybody_can_compute(self):
        # echo -n '["000…0",1,"a",null,7]' | sha256sum
        assert chain.canonical([chain.START, 1, "a", None, 7]) == f'["{chain.START}",1,"a",null,7]'
        assert len(chain.hash_of(FIRST, ["a", None, 7])) == 64

    @pytest.mark.parametrize(
        ("change", "position"),
        [
            pytest.param(lambda rows: rows.pop(0), 1, id="the first is gone"),
            pytest.param(lambda rows: rows.pop(1), 2, id="one is gone"),
            pytest.param(lambda rows: rows.insert(1, rows[1]), 3, id="one is there twice"),
            pytest.param(lambda rows: rows.__setitem__(1, (rows[1][0], ["x"])), 2, id="one was changed"),
            pytest.param(lambda rows: rows.__setitem__(1, (Link(2, "0"), ["b"])), 2, id="a hash was changed"),
            pytest.param(lambda rows: rows.__setitem__(0, (Link(1, "\ud800"), ["a"])), 1, id="a hash is no text"),
            pytest.param(lambda rows: rows.__setitem__(0, (rows[0][0], [b"\xff"])), 1, id="a column is no text"),
        ],
    )
    def test_that_does_not_hold_tells_the_first_place(self, change, position):
        rows = sealed(["a"], ["b"], ["c"])
        change(rows)
        with pytest.raises(Broken) as broken:
            chain.follow(FIRST, rows)
        assert broken.value.position == position

    def test_tells_numbers_from_texts_and_nothing_from_empty(self):
        assert len({chain.hash_of(FIRST, [one]) for one in (1, "1", None, "", "null", 1.5, True)}) == 7


class TestPersonalWord:
    def test_is_shown_as_long_as_it_is_there(self):
        digest = chain.commitment("salt", 7, "olga")
        told = {"username": f"personal:{digest}", "is_active": True, "in": {"x": f"personal:{digest}"}}
        assert chain.resolved(told, {digest: "olga"}) == {"username": "olga", "is_active": True, "in": {"x": "olga"}}
        assert chain.resolved(told, {})["username"] == "(erased)"
        assert chain.mentioned(chain.canonical(told)) == {digest}

    def test_is_of_one_person_and_one_salt(self):
        found = {chain.commitment(salt, person, "olga") for salt in ("a", "b") for person in (1, 2)}
        assert len(found) == 4

    def test_is_mentioned_by_no_other_text(self):
        assert chain.mentioned("personal:abc") == chain.mentioned(None) == set()


class TestActor:
    def test_is_the_platform_where_nobody_else_is_named(self):
        assert acting.current() == SYSTEM

    def test_is_asked_for_when_it_is_wanted_and_gone_afterwards(self):
        names = ["anonymous"]
        with acting.acting(lambda: Actor(names[-1])):
            names.append("user:7")
            assert acting.current().principal == "user:7"
        assert acting.current() == SYSTEM

    def test_of_one_thread_is_not_that_of_another(self):
        seen: list[Actor] = []

        def work():
            acting.act_as(Actor(via="job: x"))
            acting.speak_for("user:9")
            seen.append(acting.current())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [Actor("user:9", via="job: x")]
        assert acting.current() == SYSTEM
