"""Who may open a live socket."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts import queries
from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Scope
from techtrack.accounts.models import Membership, Session
from techtrack.core import clock
from techtrack.live.threads import in_thread
from tests.integration.live.asgi import Client, Closed


@pytest.fixture
def key(plant):
    """``key(erik)``: the text of a new API key of erik's."""

    def make(user, **fields):
        settings = {
            "name": "gateway",
            "scope": Scope.READ,
            "site": None,
            "asset_id": None,
            "expires_at": None,
            "allowed_addresses": [],
        }
        made = accounts.create_key(by=queries.access_of(user), now=clock.now(), **settings | fields)
        return made[1].encode()

    return make


class TestCredentials:
    async def test_an_access_token_in_the_header_will_do(self, connect, olga):
        async with await connect(olga) as socket:
            assert await socket.ask(type="ping", id=1) == {"type": "pong", "id": 1}

    @pytest.mark.parametrize("form", ["authorization", "x-api-key"])
    async def test_so_will_a_key_that_reads(self, application, erik, key, form):
        text = await in_thread(key, erik)
        value = b"Api-Key " + text if form == "authorization" else text
        async with Client(application, (form.encode(), value)) as socket:
            assert (await socket.ask(type="ping"))["type"] == "pong"

    async def test_so_will_a_token_in_the_first_message(self, application, token, olga):
        async with Client(application) as socket:
            socket.say(type="authenticate", token=await in_thread(token, olga))
            assert (await socket.ask(type="ping"))["type"] == "pong"

    async def test_so_will_a_ticket_once(self, application, token, olga):
        access = await in_thread(queries.session_access, await in_thread(token, olga), clock.now())
        ticket = await in_thread(accounts.issue_ticket, by=access, now=clock.now())
        async with Client(application) as socket:
            socket.say(type="authenticate", ticket=ticket)
            assert (await socket.ask(type="ping"))["type"] == "pong"
        async with Client(application) as again:
            again.say(type="authenticate", ticket=ticket)
            assert await again.closing() == 4401

    async def test_a_wrong_header_closes_with_4401(self, application):
        for header in (b"Bearer nonsense", b"Bearer", b"Api-Key nonsense", b"Api-Key", b"Basic b2xn", b"Bearer \xff"):
            async with Client(application, (b"authorization", header)) as socket:
                assert (await socket.hear("error"))["code"], header
                assert await socket.closing() == 4401

    async def test_so_does_a_wrong_first_message(self, application):
        for message in (
            {"type": "authenticate", "token": "nonsense"},
            {"type": "authenticate", "ticket": "nonsense"},
            {"type": "authenticate", "token": "x" * 5000},
            {"type": "authenticate", "token": None},
            {"type": "authenticate", "token": 5},
            {"type": "authenticate"},
            {"type": "authenticate", "token": "a", "ticket": "b"},
            {"type": "subscribe", "topics": ["alerts"]},
            {"type": "ping"},
            [],
            "{",
        ):
            async with Client(application) as socket:
                socket.say(message)
                assert (await socket.hear("error"))["detail"], message
                assert await socket.closing() == 4401

    async def test_so_does_silence(self, application):
        async with Client(application) as socket:
            assert await socket.closing() == 4401

    async def test_a_key_for_ingest_learns_nothing(self, application, erik, key):
        text = await in_thread(key, erik, scope=Scope.INGEST)
        async with Client(application, (b"x-api-key", text)) as socket:
            assert (await socket.hear("error"))["code"] == "forbidden"
            assert await socket.closing() == 4403

    async def test_nor_does_one_from_a_wrong_address(self, application, erik, key):
        text = await in_thread(key, erik, allowed_addresses=["10.0.0.0/8"])
        async with Client(application, (b"x-api-key", text)) as socket:
            assert await socket.closing() == 4401

    async def test_nobody_introduces_himself_twice(self, connect, token, olga):
        async with await connect(olga) as socket:
            answer = await socket.ask(type="authenticate", token=await in_thread(token, olga))
            assert answer["code"] == "bad_message"


class TestOpening:
    async def test_nothing_comes_by_url(self, application):
        for query in (b"token=abc", b"ticket=abc", b"x"):
            with pytest.raises(Closed) as closed:
                await Client(application, query_string=query).__aenter__()
            assert closed.value.code == 4403

    async def test_foreign_pages_stay_outside(self, application):
        for origin in (
            b"http://evil.example",
            b"https://testserver",
            b"http://testserver:8000",
            b"null",
            b"",
            b"http://testserver.evil",
        ):
            with pytest.raises(Closed):
                await Client(application, (b"origin", origin)).__aenter__()

    async def test_own_and_trusted_pages_come_in(self, application, settings):
        settings.CSRF_TRUSTED_ORIGINS = ["https://panel.example", "https://*.plant.example"]
        for origin in (b"http://testserver", b"https://panel.example", b"https://a.plant.example"):
            async with Client(application, (b"origin", origin)):
                pass
        with pytest.raises(Closed):
            await Client(application, (b"origin", b"http://a.plant.example")).__aenter__()

    async def test_a_foreign_host_name_is_not_ours(self, application):
        with pytest.raises(Closed):
            await Client(application, headers=[(b"host", b"rebound.example")]).__aenter__()

    async def test_the_subprotocol_is_taken_when_offered(self, connect, olga):
        async with await connect(olga, subprotocols=["other", "techtrack.v1"]) as socket:
            assert socket.subprotocol == "techtrack.v1"
        async with await connect(olga) as socket:
            assert socket.subprotocol is None


class TestPlaces:
    @pytest.fixture(params=["LIVE_SOCKETS", "LIVE_SOCKETS_PER_ADDRESS", "LIVE_SOCKETS_PER_CALLER"])
    def limit(self, request, settings):
        setattr(settings, request.param, 2)
        return request.param

    async def test_are_so_many_and_free_again_when_a_socket_ends(self, connect, olga, limit):
        async with await connect(olga) as first, await connect(olga) as second:
            for socket in (first, second):
                # Who is calling is looked up beside: whoever is answered has the place.
                assert (await socket.ask(type="ping"))["type"] == "pong"
            async with await connect(olga) as third:
                assert (await third.hear("error"))["code"] == "too_many_sockets"
                assert await third.closing() == 1013
            await second.__aexit__()
            async with await connect(olga) as again:
                assert (await again.ask(type="ping"))["type"] == "pong"

    async def test_of_one_person_are_not_those_of_another(self, connect, olga, vera, settings):
        settings.LIVE_SOCKETS_PER_CALLER = 1
        async with await connect(olga) as one, await connect(vera) as other:
            for socket in (one, other):
                assert (await socket.ask(type="ping"))["type"] == "pong"

    async def test_from_one_address_are_not_those_from_another(self, connect, olga, vera, settings):
        settings.LIVE_SOCKETS_PER_ADDRESS = 1
        async with await connect(olga) as one, await connect(vera, client=("127.0.0.2", 5000)) as other:
            for socket in (one, other):
                assert (await socket.ask(type="ping"))["type"] == "pong"

    async def test_are_taken_before_anybody_says_who_is_calling(self, application, settings):
        settings.LIVE_SOCKETS_PER_ADDRESS = 1
        async with Client(application), Client(application) as second:
            assert (await second.hear("error"))["code"] == "too_many_sockets"


class TestLater:
    async def test_the_end_of_the_session_closes_with_4401(self, connect, olga):
        async with await connect(olga) as socket:
            await socket.ask(type="ping")
            await in_thread(accounts.revoke_sessions, user=olga, now=clock.now())
            assert await socket.closing() == 4401

    async def test_so_does_its_last_day(self, connect, olga):
        async with await connect(olga) as socket:
            await socket.ask(type="ping")
            long_ago = clock.now() - timedelta(days=400)
            await in_thread(Session.objects.filter(user=olga).update, started_at=long_ago)
            assert await socket.closing() == 4401

    async def test_a_role_that_is_taken_away_ends_its_topics(self, connect, olga, plant, record):
        own = f"sites/{plant.pk}/alerts"
        async with await connect(olga) as socket:
            socket.say(type="subscribe", topics=[own, "alerts"])
            await socket.hear("subscribed")
            await in_thread(Membership.objects.filter(user=olga).delete)
            assert own in (await socket.hear("error"))["detail"]
            await record(own)
            assert await socket.quiet()

    async def test_a_role_that_is_given_opens_more(self, connect, mallory, plant, record):
        own = f"sites/{plant.pk}/alerts"
        async with await connect(mallory) as socket:
            socket.say(type="subscribe", topics=["alerts"])
            await socket.hear("subscribed")
            await record(own, 1)
            assert await socket.quiet()
            await in_thread(Membership.objects.create, user=mallory, site=plant, role="viewer")
            assert await socket.quiet()
            await record(own, 2)
            assert (await socket.hear("alert"))["n"] == 2
