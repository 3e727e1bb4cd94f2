"""The feeder: sends what the plant's clock has reached through the real ingest door, as a gateway would."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.demo import faults, plant
from techtrack.demo.clock import ReplayClock, State, write_state
from techtrack.demo.load import Playing

TICK = 0.2
# What is sent at once when there is much to catch up with.
STRIDE = timedelta(hours=1)
RETRY = 1.0
HOTTER = 90.0
HOT_EVERY = timedelta(seconds=2)
# Too many requests, a full disk, the database away: the door takes the same batch later.
BUSY = frozenset({429, 502, 503, 504, 507})
_log = logging.getLogger(__name__)

Item = dict[str, Any]


class Refused(Exception):
    """The door did not take the readings; nothing of this batch counts as sent.

    ``passes``: the same batch may be taken later, after the ``retry_after`` seconds that the door asked for, if it did.
    """

    def __init__(self, text: str, *, passes: bool = True, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.passes, self.retry_after = passes, retry_after


class Door:
    """A platform's ingest door, over one connection that is kept."""

    def __init__(self, host: str, port: int, key: str, *, secure: bool = False) -> None:
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(host, port, timeout=30)
        self._headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}

    @classmethod
    def at(cls, url: str, key: str) -> Door:
        """Return the door of the platform at ``url``."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if secure else 80), key, secure=secure)

    def send(self, items: list[Item]) -> dict[str, Any]:
        """Post readings; return the answer once they are stored.

        Raises:
            Refused: they are not, or nobody knows; send them again.
        """
        body = json.dumps({"items": items}).encode()
        try:
            answer, content = self._post(body)
        except (OSError, http.client.HTTPException):
            # The server ends connections that rest; a reading that was stored before the answer is stored once.
            self.close()
            answer, content = self._post_again(body)
        if answer.status != http.client.OK:
            wait = answer.headers.get("Retry-After", "")
            told = f"{answer.status} {content[:500].decode(errors='replace')}"
            raise Refused(told, passes=answer.status in BUSY, retry_after=float(wait) if wait.isdigit() else None)
        told_of: dict[str, Any] = json.loads(content)
        return told_of

    def _post(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        # A reading of an asset that a visitor has deleted must not hold up the others.
        self._connection.request("POST", "/api/ingest/?on_error=skip", body, self._headers)
        answer = self._connection.getresponse()
        return answer, answer.read()

    def _post_again(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            return self._post(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Refused(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Let go of the connection; the next send makes a new one."""
        self._connection.close()


class Feeder:
    """Follows the plant's clock; remembers how far it has come only once the door has acknowledged.

    A re-sent reading changes nothing, so a feeder that is killed anywhere simply goes on.
    """

    def __init__(self, state: State, playing: list[Playing], door: Door, now: Callable[[], datetime]) -> None:
        self.state = state
        self._playing = {one.key: one for one in playing}
        self._door, self._now = door, now
        self._origin = to_micros(state.start)
        self._newest = {one.key: last for one in playing if (last := _last(one, self._through()))}
        self._faults = _Faults()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo feeder", daemon=True)

    def start(self) -> None:
        """Let the plant's clock run from where it stands, and begin."""
        now = self._now()
        running = ReplayClock.starting(plant=self.state.through, now=now)
        self._keep(replace(self.state, clock=running, through=max(self.state.through, running.plant)))
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand, and let the clock stand still until the next start; one never started may stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=35)
        self._door.close()
        self._keep(replace(self.state, clock=ReplayClock(self._now(), self.state.through, 0)))

    def step(self) -> bool:
        """Send what is due; True when there is more to send at once."""
        now = self._now()
        shown = self.state.clock.at(now)
        broken = faults.broken()
        if "silent" in broken:
            return False
        until = min(shown, self.state.through + STRIDE)
        items = [self._faults.changed(item, broken) for item in self._due(until)]
        items += self._faults.besides(broken, self._newest, shown, now)
        if items:
            self._report(self._door.send(items))
        self._keep(replace(self.state, through=until))
        return until < shown

    def _through(self) -> int:
        return to_micros(self.state.through) - self._origin

    def _due(self, until: datetime) -> list[Item]:
        after, end = self._through(), to_micros(until) - self._origin
        due: list[tuple[int, Item]] = []
        for one in self._playing.values():
            when, which = one.loop.between(after, end)
            for at, index in zip(when.tolist(), which.tolist(), strict=True):
                values = one.recording.at(index)
                self._newest[one.key] = values
                due.append((at, _item(one.key, from_micros(self._origin + at), values)))
        return [item for _, item in sorted(due, key=lambda pair: pair[0])]

    def _report(self, answer: dict[str, Any]) -> None:
        if answer.get("refused"):
            _log.warning("the door refused %s of the demo's readings: %s", answer["refused"], answer.get("errors"))

    def _keep(self, state: State) -> None:
        self.state = state
        write_state(state)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wait = TICK
            try:
                wait = 0.0 if self.step() else TICK
            except Refused as error:
                _log.warning("the door does not answer; the demo's readings wait: %s", error)
                wait = RETRY
            self._stopping.wait(wait)


class _Faults:
    """What is broken changes what is sent: remembers when it was hot last, and what it inspected last."""

    def __init__(self) -> None:
        self._hot_at: datetime | None = None
        self._inspected: Mapping[str, float] = {}

    def changed(self, item: Item, broken: Mapping[str, datetime]) -> Item:
        """Return the item as the broken thing would send it."""
        if item["asset"] == plant.LARGE_MACHINE.key and "overheat" in broken:
            return {**item, "values": _overheated(item["values"])}
        if item["asset"] == plant.INSPECTION.key:
            if "stuck" not in broken or not self._inspected:
                self._inspected = item["values"]
            return {**item, "values": dict(self._inspected)}
        return item

    def besides(
        self, broken: Mapping[str, datetime], newest: Mapping[str, Mapping[str, float]], shown: datetime, now: datetime
    ) -> list[Item]:
        """Return readings beyond the recorded ones: hot ones, so that nobody waits five minutes, and the mended one."""
        key = plant.LARGE_MACHINE.key
        values = newest.get(key)
        if values is None:
            return []
        if "overheat" in broken:
            if self._hot_at and now - self._hot_at < HOT_EVERY:
                return []
            self._hot_at = now
            return [_item(key, shown, _overheated(values))]
        if self._hot_at:
            self._hot_at = None
            return [_item(key, shown, {**values, "demo_fault": 0.0})]
        return []


def _last(one: Playing, through: int) -> Mapping[str, float] | None:
    _, which = one.loop.between(through - one.loop.period, through)
    return one.recording.at(int(which[-1])) if len(which) else None


def _overheated(values: Mapping[str, float]) -> dict[str, float]:
    return {**values, "temperature": values["temperature"] + HOTTER, "demo_fault": 1.0}


def _item(key: str, at: datetime, values: Mapping[str, float]) -> Item:
    return {"asset": key, "timestamp": isoformat(at), "values": dict(values)}
