"""Whom a comment calls, and what only looks like it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from django.contrib.auth.validators import UnicodeUsernameValidator
from hypothesis import given
from hypothesis import strategies as st

from techtrack.accounts.models import User
from techtrack.tasks.domain.mentions import LONGEST_NAME, TooManyMentions, mentioned, mentions


def shortest(text):
    return [names[-1] for names in mentions(text)]


class TestMentions:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            pytest.param("@olga", ["olga"], id="alone"),
            pytest.param("Ask @olga, then @tom.", ["olga", "tom"], id="in a sentence"),
            pytest.param("(@olga) [@tom] \u201e@vera\u201c", ["olga", "tom", "vera"], id="in brackets and quotes"),
            pytest.param("@olga's pump", ["olga"], id="of hers"),
            pytest.param("@olga/@tom: look", ["olga", "tom"], id="one or the other"),
            pytest.param("Done.@olga", ["olga"], id="after a full stop"),
            pytest.param("line\n@olga", ["olga"], id="on a new line"),
            pytest.param("@olga @Olga @OLGA", ["olga"], id="once, whatever the capitals"),
            pytest.param("@Jürgen_Groß-Ω.7", ["Jürgen_Groß-Ω.7"], id="letters of any language"),
            pytest.param("@Ju\u0308rgen", ["Jürgen"], id="an accent that stands for itself"),
            pytest.param("@\uff4f\uff4c\uff47\uff41", ["olga"], id="wide letters"),
            pytest.param("@a+b@example.org", ["a+b@example.org"], id="a name that is an address"),
        ],
    )
    def test_finds(self, text, names):
        assert shortest(text) == names

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("olga@example.org", id="an address"),
            pytest.param("ol+ga-@example.org", id="an address with signs before"),
            pytest.param(r"\@olga", id="an escape"),
            pytest.param("https://example.org/@olga?to=@tom", id="a link"),
            pytest.param("@ olga", id="a sign alone"),
            pytest.param("@... @-", id="signs only"),
            pytest.param("`@olga`", id="code"),
            pytest.param("``a ` @olga``", id="code with a backtick in it"),
            pytest.param("`two\nlines @olga`", id="code on two lines"),
            pytest.param("```\n@olga\n```", id="a fence"),
            pytest.param("```python\n@olga\n\n@tom\n````", id="a fence that closes with a longer one"),
            pytest.param("~~~\n```\n@olga\n~~~", id="a fence of tildes"),
            pytest.param("   ```\n@olga", id="a fence that never closes"),
            pytest.param("@" + "o" * (LONGEST_NAME + 1), id="a name too long for anybody"),
        ],
    )
    def test_does_not_find(self, text):
        assert mentions(text) == ()

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("a ` b @olga", id="a backtick alone"),
            pytest.param("a ` b `` @olga", id="runs that do not match"),
            pytest.param("`code` @olga `more`", id="between code"),
            pytest.param("`one\n\n@olga` two", id="backticks of two paragraphs"),
            pytest.param(r"\`@olga`", id="a backtick that is escaped"),
            pytest.param("```\ncode\n```\n@olga", id="after a fence"),
            pytest.param("```not a fence``` @olga", id="backticks in a line"),
        ],
    )
    def test_finds_beside_code(self, text):
        assert shortest(text) == ["olga"]

    def test_leaves_open_whether_a_sign_at_the_end_belongs_to_the_name(self):
        assert mentions("Ask @c++.") == (("c++.", "c++", "c+", "c"),)

    def test_a_name_as_long_as_can_be_is_one(self):
        name = "o" * LONGEST_NAME
        assert mentions(f"@{name}.") == ((name,),)

    def test_follows_the_rules_of_the_user_model(self):
        field = User._meta.get_field("username")
        assert [type(one) for one in field.validators[:1]] == [UnicodeUsernameValidator]
        assert (UnicodeUsernameValidator.regex, field.max_length) == (r"^[\w.@+-]+\Z", LONGEST_NAME)

    def test_refuses_to_call_everybody(self):
        crowd = " ".join(f"@p{number}" for number in range(51))
        assert len(mentions(crowd.removesuffix(" @p50"))) == 50
        with pytest.raises(TooManyMentions) as caught:
            mentions(crowd, pointer="/text")
        assert caught.value.faults[0].pointer == "/text"

    @given(st.text(st.sampled_from("ab@.`~ \n/\\-é\u0301:"), max_size=60))
    def test_every_name_found_is_one_that_an_account_can_have(self, text):
        for names in mentions(text):
            assert list(names) == sorted(names, key=len, reverse=True)
            for name in names:
                assert re.fullmatch(UnicodeUsernameValidator.regex, name)
                assert name == unicodedata.normalize("NFKC", name)

    # An accent is left out: after one that composes with nothing, a name ends.
    @given(st.from_regex(r"[\w.@+-]{0,20}\w", fullmatch=True, alphabet=st.characters(codec="utf-8")))
    def test_every_name_that_an_account_can_have_is_found(self, raw):
        name = unicodedata.normalize("NFKC", raw)
        if re.fullmatch(UnicodeUsernameValidator.regex, name):
            assert mentioned(mentions(f"Ask @{name}, now"), {name.lower(): 7}) == [7]


class TestMentioned:
    PEOPLE = {"olga": 1, "olga.": 2, "tom": 3}

    @pytest.mark.parametrize(
        ("text", "ids"),
        [
            pytest.param("@Tom and @olga", [3, 1], id="in order, whatever the capitals"),
            pytest.param("Ask @olga.", [2], id="the longest that there is"),
            pytest.param("Ask @tom..", [3], id="less the signs of nobody"),
            pytest.param("@mallory", [], id="nobody"),
            pytest.param("@tom @tom- @TOM", [3], id="once"),
        ],
    )
    def test_is_who_is_there(self, text, ids):
        assert mentioned(mentions(text), self.PEOPLE) == ids
