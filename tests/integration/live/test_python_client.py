"""The Python client (clients/python) against servers that do as they are told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import serve

from clients.python.techtrack_live import LiveClient, Refused, address_of


def subscribed(sequence, **more):
    return {"type": "subscribed", "id": "techtrack_live", "snapshot": {}, "sequence": sequence, **more}


def alert(sequence):
    return {"type": "alert", "sequence": sequence}


class Server:
    """Plays one part for each connection: frames to send, and then a close code (None: the line breaks)."""

    def __init__(self, *parts) -> None:
        self.parts = list(parts)
        self.asked = []
        self.headers = []

    async def talk(self, connection):
        frames, code = self.parts.pop(0) if self.parts else ([], 1001)
        self.headers.append(connection.request.headers)
        first = json.loads(await connection.recv())
        self.asked.append([first] if first["type"] == "subscribe" else [first, json.loads(await connection.recv())])
        for frame in frames:
            await connection.send(json.dumps(frame))
        if code is None:
            connection.transport.abort()
        elif code:
            await connection.close(code, "said_so")
        await connection.wait_closed()

    @asynccontextmanager
    async def running(self, **options):
        """Give a client of this server."""
        async with serve(self.talk, "127.0.0.1", 0, subprotocols=["techtrack.v1"]) as server:
            port = server.sockets[0].getsockname()[1]
            options = {"topics": ["alerts"], "first_wait": 0.01, "proxy": None} | options
            if not {"key", "token", "ticket"} & set(options):
                options["key"] = "secret"
            async with LiveClient(f"http://127.0.0.1:{port}", **options) as client:
                yield client

    @property
    def sinces(self):
        """From where each connection asked to go on."""
        return [messages[-1].get("since") for messages in self.asked]


async def heard(client, count):
    async with asyncio.timeout(20):
        return [(frame["type"], frame.get("sequence")) for _ in range(count) if (frame := await anext(client))]


class TestResuming:
    async def test_begins_with_the_snapshot_and_goes_on_from_the_last_event(self):
        server = Server(([subscribed(5), alert(6), alert(8)], None), ([subscribed(9, missed=1), alert(9)], 0))
        async with server.running() as client:
            assert await heard(client, 5) == [
                ("subscribed", 5),
                ("alert", 6),
                ("alert", 8),
                ("subscribed", 9),
                ("alert", 9),
            ]
        assert server.sinces == [None, 8]
        assert client.since == 9

    async def test_goes_on_from_before_what_was_missed_until_all_of_it_came(self):
        cut = ([subscribed(20, missed=3), alert(12), alert(15)], None)
        server = Server(cut, ([subscribed(21, missed=2), alert(18), alert(21)], None), ([subscribed(30, missed=0)], 0))
        async with server.running(since=10) as client:
            await heard(client, 7)
            assert client.since == 30
        assert server.sinces == [10, 15, 21]

    async def test_where_nothing_was_missed_the_number_of_the_answer_counts(self):
        server = Server(([subscribed(20, missed=0)], None), ([subscribed(20, missed=0)], 0))
        async with server.running(since=10) as client:
            await heard(client, 2)
        assert server.sinces == [10, 20]

    async def test_tells_nothing_twice(self):
        server = Server(([subscribed(5), alert(6), alert(6), alert(4), alert(7)], 0))
        async with server.running() as client:
            assert await heard(client, 3) == [("subscribed", 5), ("alert", 6), ("alert", 7)]

    async def test_begins_again_after_a_resync(self):
        server = Server(([{"type": "resync"}, subscribed(3), alert(4)], 0))
        async with server.running(since=900) as client:
            assert await heard(client, 3) == [("resync", None), ("subscribed", 3), ("alert", 4)]
        assert client.since == 4

    async def test_passes_on_what_has_no_number_and_no_sign_of_life(self):
        server = Server(([subscribed(1), {"type": "heartbeat"}, {"type": "reading"}, {"type": "reading"}], 0))
        async with server.running() as client:
            assert await heard(client, 3) == [("subscribed", 1), ("reading", None), ("reading", None)]

    async def test_says_how_it_stands(self):
        states = []
        server = Server(([subscribed(5)], 1012), ([subscribed(7, missed=1), alert(7)], 0))
        async with server.running(on_state=states.append) as client:
            await heard(client, 3)
        assert states == ["connecting", "live", "lost", "connecting", "live"]


class TestCredentials:
    async def test_are_a_key(self):
        server = Server(([subscribed(1)], 0))
        async with server.running(key="abc") as client:
            await heard(client, 1)
        assert server.headers[0]["Authorization"] == "Api-Key abc"
        assert server.headers[0]["Sec-WebSocket-Protocol"] == "techtrack.v1"

    @pytest.mark.parametrize("kind", ["text", "function", "coroutine"])
    async def test_are_a_token_got_anew_for_each_connection(self, kind):
        count = iter(range(1, 9))

        def fetch():
            return f"token {next(count)}"

        async def fetch_slowly():
            return fetch()

        token = {"text": "token 1", "function": fetch, "coroutine": fetch_slowly}[kind]
        server = Server(([subscribed(1)], None), ([subscribed(1, missed=0)], 0))
        async with server.running(token=token) as client:
            await heard(client, 2)
        told = [headers["Authorization"] for headers in server.headers]
        assert told == ["Bearer token 1", "Bearer token 1" if kind == "text" else "Bearer token 2"]

    async def test_are_a_ticket_in_the_first_message(self):
        server = Server(([subscribed(1)], 0))
        async with server.running(ticket=lambda: "once") as client:
            await heard(client, 1)
        assert server.asked[0][0] == {"type": "authenticate", "ticket": "once"}
        assert "Authorization" not in server.headers[0]

    def test_are_exactly_one(self):
        for secrets in ({}, {"key": "a", "token": "b"}):
            with pytest.raises(ValueError, match="one of key, token and ticket"):
                LiveClient("http://a", topics=["alerts"], **secrets)


class TestRefusals:
    async def test_of_a_topic_are_told(self):
        refusal = {"type": "error", "id": "techtrack_live", "code": "forbidden", "detail": "you may not see it"}
        async with Server(([refusal], 0)).running() as client:
            with pytest.raises(Refused, match="you may not see it") as refused:
                await anext(client)
        assert refused.value.code == "forbidden"

    async def test_of_the_credentials_are_told_with_the_reason(self):
        refusal = {"type": "error", "code": "not_authenticated", "detail": "the key is not valid"}
        async with Server(([refusal], 4401)).running() as client:
            with pytest.raises(Refused, match="the key is not valid"):
                await anext(client)

    async def test_when_the_session_ends_are_final(self):
        async with Server(([subscribed(1)], 4401)).running() as client:
            await heard(client, 1)
            with pytest.raises(Refused, match="said_so"):
                await anext(client)

    async def test_for_a_while_are_not(self):
        crowded = {"type": "error", "code": "too_many_sockets", "detail": "later"}
        server = Server(([crowded], 1013), ([subscribed(1)], 1013), ([subscribed(1, missed=0)], 0))
        async with server.running() as client:
            assert await heard(client, 2) == [("subscribed", 1)] * 2

    async def test_of_a_topic_since_a_role_was_taken_away_are_passed_on(self):
        lost = {"type": "error", "code": "forbidden", "detail": "you may no longer see it"}
        async with Server(([subscribed(1), lost, alert(2)], 0)).running() as client:
            assert [kind for kind, _ in await heard(client, 3)] == ["subscribed", "error", "alert"]

    @pytest.mark.parametrize(("status", "is_final"), [(403, True), (404, True), (502, False), (503, False)])
    async def test_by_http_are_final_where_they_will_not_change(self, status, is_final):
        answers = [status]

        def answer(connection, request):
            return connection.respond(HTTPStatus(answers.pop()), "") if answers else None

        server = Server(([subscribed(1)], 0))
        async with serve(server.talk, "127.0.0.1", 0, process_request=answer, subprotocols=["techtrack.v1"]) as web:
            url = f"ws://127.0.0.1:{web.sockets[0].getsockname()[1]}"
            async with LiveClient(url, topics=["alerts"], key="a", first_wait=0.01, proxy=None) as client:
                if is_final:
                    with pytest.raises(Refused, match=str(status)):
                        await anext(client)
                else:
                    assert await heard(client, 1) == [("subscribed", 1)]

    async def test_of_an_impossible_address_are_told(self):
        async with LiveClient("mailto:a@b", topics=["alerts"], key="a", proxy=None) as client:
            with pytest.raises(Refused):
                await anext(client)


class TestSilence:
    async def test_of_a_dead_line_is_noticed(self):
        async def swallow(reader, writer):
            while await reader.read(4096):
                pass
            writer.close()

        lost = asyncio.Event()
        async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            client = LiveClient(
                url,
                topics=["alerts"],
                key="a",
                open_timeout=0.1,
                on_state=lambda s: s == "lost" and lost.set(),
                proxy=None,
            )
            listening = asyncio.create_task(anext(client))
            async with asyncio.timeout(20):
                await lost.wait()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await client.close()


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://plant.example", "wss://plant.example/ws/live/"),
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/ws/live/"),
        ("wss://plant.example/ws/live/", "wss://plant.example/ws/live/"),
        ("https://plant.example/techtrack", "wss://plant.example/techtrack/ws/live/"),
    ],
)
def test_the_address_of_the_pages_will_do(given, address):
    assert address_of(given) == address
