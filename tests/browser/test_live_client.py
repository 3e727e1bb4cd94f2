"""The live client in Debian's Chromium: on a line that is cut again and again it tells each event once, in order."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import servers
from tests.browser.test_first_page import QUIET, SOON
from tests.campaigns.lines import Fault, Line
from tests.plugins.platform import ROOT

pytestmark = pytest.mark.browser

# One that hears all alerts, and asks a silent line after two seconds.
BEGIN = """
async () => {
  const { LiveClient, pageTicket } = await import("/static/web/live.js");
  const csrf = document.querySelector("meta[name=csrf-token]").content;
  const options = { topics: ["alerts"], ticket: pageTicket(csrf), heartbeat: 2500, firstWait: 50, longestWait: 400 };
  window.client = new LiveClient(options);
  window.heard = [];
  window.states = [];
  client.addEventListener("alert", ({ detail }) => heard.push([detail.sequence, detail.alert.id]));
  client.addEventListener("state", ({ detail }) => states.push(detail));
  client.addEventListener("resync", () => states.push("resync"));
  client.start();
}
"""
# One without a line, to which frames are given by hand; returns how far it says that it has come after each.
BY_HAND = """
async ([since, frames]) => {
  const { LiveClient } = await import("/static/web/live.js");
  const client = new LiveClient({ topics: ["alerts"], ticket: async () => "", since });
  const heard = [];
  client.addEventListener("alert", ({ detail }) => heard.push(detail.sequence));
  const sinces = frames.map((frame) => (client.receive(frame), client.since));
  client.stop();
  return [heard, sinces];
}
"""
# What the page says of its line, one after the other: it may pass too quickly to be seen.
WATCH = """
() => {
  window.said = [];
  const text = document.querySelector("[data-link-text]");
  new MutationObserver(() => said.push(text.textContent)).observe(text, { childList: true });
}
"""
LOG_OUT = """
() => {
  const csrf = document.querySelector("meta[name=csrf-token]").content;
  return fetch("/logout/", { method: "POST", headers: { "X-CSRFToken": csrf } }).then((answer) => answer.status);
}
"""


class LineOfItsOwn:
    """A line whose event loop runs in a thread: that of the test belongs to the browser."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._ready: Future[int] = Future()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._ready.result(10)}"

    async def _run(self) -> None:
        async with Line(self._port) as self._line:
            self._ready.set_result(self._line.port)
            await self._ended.wait()

    def cut(self, fault: Fault) -> None:
        """Do this to everything that is connected."""
        done: Future[bool] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(self._line.cut(fault)))
        done.result(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = servers.program("chromium", "chromium-browser", how="apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def line(platform) -> Iterator[LineOfItsOwn]:
    made = LineOfItsOwn(platform.port)
    yield made
    made.close()


@pytest.fixture
def page(chromium, platform, line) -> Iterator[Page]:
    """The first page, on that line, of somebody who has logged in."""
    page = chromium.new_page()
    page.goto(f"{line.url}/")
    page.get_by_label("User name or e-mail address").fill(platform.username)
    page.get_by_label("Password").fill(platform.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Plant", exact=True)).to_be_visible(timeout=SOON)
    yield page
    page.close()


def report(platform, machine: int, number: int) -> int:
    """Report an alert by hand, as an operator does; returns its id."""
    answer = platform.call("POST", "/api/alerts/", json={"equipment": machine, "title": f"Noise {number}"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def until(page: Page, condition: str) -> None:
    """Wait for it; the page lets nobody watch from inside, who would have to evaluate text there."""
    deadline = time.monotonic() + 3 * SOON / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


class TestLiveClient:
    @pytest.mark.slow
    def test_misses_and_doubles_nothing_however_often_its_line_is_cut(self, page, line, platform):
        machine = platform.call("POST", "/api/equipment/", json={"name": "Press"}).json()["id"]
        page.evaluate(BEGIN)
        made = []
        for number in range(9):
            until(page, "client.state === 'live'")
            made.append(report(platform, machine, number))
            line.cut(list(Fault)[number % 3])
            made.append(report(platform, machine, number))
            until(page, f"states.filter((state) => state === 'lost').length > {number}")
        until(page, f"heard.some(([, alert]) => alert === {made[-1]})")
        heard, states = page.evaluate("[heard, states]")
        sequences = [sequence for sequence, _ in heard]
        assert sequences == sorted(set(sequences))
        assert [alert for _, alert in heard] == made
        assert "resync" not in states

    def test_goes_on_with_the_page_itself(self, page, line):
        expect(page.locator("[data-link]")).to_have_text("Live", timeout=SOON)
        page.evaluate(WATCH)
        line.cut(Fault.RESET)
        until(page, "said.includes('Reconnecting') && said.at(-1) === 'Live'")

    def test_resumes_from_before_what_was_missed_until_all_of_it_was_told(self, page):
        frames = [
            {"type": "subscribed", "sequence": 10, "snapshot": {}, "missed": 2},
            {"type": "alert", "sequence": 7},
            {"type": "alert", "sequence": 7},
            {"type": "alert", "sequence": 9},
            {"type": "alert", "sequence": 11},
        ]
        heard, sinces = page.evaluate(BY_HAND, [5, frames[:2] + frames[3:]])
        assert (heard, sinces) == ([7, 9, 11], [5, 7, 10, 11])
        assert page.evaluate(BY_HAND, [5, frames[:3]])[0] == [7]

    def test_begins_again_from_the_snapshot_after_a_resync(self, page):
        frames = [{"type": "resync"}, {"type": "subscribed", "sequence": 3, "snapshot": {}}]
        heard, sinces = page.evaluate(BY_HAND, [900, [*frames, {"type": "alert", "sequence": 4}]])
        assert (heard, sinces) == ([4], [None, 3, 4])

    def test_ends_when_the_session_does(self, page):
        page.evaluate(BEGIN)
        until(page, "client.state === 'live'")
        # The page's own client reloads it then, which would take ours away; with "no content" a page stays.
        page.route(lambda url: url == page.url, lambda route: route.fulfill(status=204))
        page.evaluate(LOG_OUT)
        until(page, "client.state === 'ended'")


class TestPageOfTheHowTo:
    def test_tells_of_an_alert(self, page, platform):
        text = (ROOT / "docs" / "how-to" / "connect-a-dashboard.md").read_text(encoding="utf-8")
        (example,) = re.findall(r"```js\n(.*?)```", text, re.DOTALL)
        # What a page runs as a module, its console runs as a function.
        body = re.sub(r'^import (\{.*\}) from (".*");$', r"const \1 = await import(\2);", example, flags=re.MULTILINE)
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text))
        page.evaluate(f"async () => {{ {body} }}")
        machine = platform.call("POST", "/api/equipment/", json={"name": "Lathe"}).json()["id"]
        deadline = time.monotonic() + SOON / 1000
        while "live" not in said and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        report(platform, machine, 99)
        while not any(line.endswith("Noise 99") for line in said):
            assert time.monotonic() < deadline, said
            page.wait_for_timeout(50)
        assert any(line.endswith("open alerts") for line in said)
