"""The first page in Debian's Chromium: log in, see a value move, see an alert come, take it.

Expects of the fixture ``platform`` (tests/plugins/platform.py): ``url``, ``username``, ``password``, ``call(method,
path, json=)`` as its admin, and ``post_reading(asset_key, values)``; the judge and the live socket run in its process.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import servers

pytestmark = pytest.mark.browser

KEY = "first-page-pump"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SOON = 10_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window, and without calls of its own to anybody."""
    path = servers.program("chromium", "chromium-browser", how="apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pump(platform) -> int:
    """A pump that reports its temperature, with a rule that it must not pass 80."""
    made = platform.call("POST", "/api/equipment/", json={"name": "Pump 7", "key": KEY, "type": "pump"})
    assert made.status_code == 201, made.text
    rule = {
        "name": "Pump too hot",
        "scope": {"assets": [made.json()["id"]]},
        "parameter": "temperature",
        "conditions": [{"kind": "above", "limit": 80, "severity": "high"}],
    }
    answer = platform.call("POST", "/api/rules/", json=rule)
    assert answer.status_code == 201, answer.text
    platform.post_reading(KEY, {"temperature": 61.5})
    return int(made.json()["id"])


class Visit:
    """One browser window that notes what went wrong in it and whom it asked."""

    def __init__(self, browser: Browser, platform, **options) -> None:
        self.platform = platform
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page: Page = browser.new_page(**options)
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("websocket", lambda socket: self.hosts.add(urlsplit(socket.url).netloc))

    def log_in(self) -> None:
        """Come in by the login page."""
        self.page.goto(f"{self.platform.url}/")
        self.page.get_by_label("User name or e-mail address").fill(self.platform.username)
        self.page.get_by_label("Password").fill(self.platform.password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("heading", name="Plant", exact=True)).to_be_visible(timeout=SOON)

    def scrolls_sideways(self) -> bool:
        """Tell whether the page is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.fixture
def visit(chromium, platform, pump) -> Iterator[Visit]:
    """A window of an ordinary size."""
    opened = Visit(chromium, platform, viewport={"width": 1280, "height": 900})
    yield opened
    opened.page.close()


class TestFirstPage:
    def test_shows_a_value_move_and_lets_an_operator_take_the_alert(self, visit, platform, pump):
        page = visit.page
        visit.log_in()
        expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)
        card = page.locator(f"#asset-{pump}")
        expect(card.locator("[data-parameter=temperature]")).to_have_text("61.50")

        platform.post_reading(KEY, {"temperature": 95.25})
        expect(card.locator("[data-parameter=temperature]")).to_have_text("95.25", timeout=SOON)

        alert = page.locator("li.alert", has_text="Pump 7")
        expect(alert).to_be_visible(timeout=SOON)
        expect(card.locator(".health")).not_to_have_text("Normal", timeout=SOON)
        expect(page).to_have_title(re.compile(r"^\(\d+\) Plant"), timeout=SOON)
        alert.get_by_role("button", name="Acknowledge").click()
        expect(alert.get_by_text(platform.username)).to_be_visible(timeout=SOON)

        assert visit.complaints == []
        assert visit.hosts == {urlsplit(platform.url).netloc}

    def test_draws_the_history_of_an_asset(self, visit, platform, pump):
        visit.log_in()
        visit.page.get_by_role("link", name="Pump 7").first.click()
        expect(visit.page.locator(".uplot canvas")).to_be_visible(timeout=SOON)
        visit.page.get_by_text("All", exact=True).click()
        expect(visit.page.locator("[data-chart-note]")).to_be_hidden(timeout=SOON)
        assert visit.complaints == []
        assert visit.hosts == {urlsplit(platform.url).netloc}

    def test_fits_a_phone(self, chromium, platform, pump):
        phone = Visit(chromium, platform, viewport={"width": 360, "height": 740}, color_scheme="dark")
        phone.log_in()
        for path in ("/", "/tasks/", f"/assets/{pump}/"):
            phone.page.goto(f"{platform.url}{path}")
            assert not phone.scrolls_sideways(), path
        assert phone.complaints == []
        phone.page.close()

    def test_sends_less_than_150_kb_of_scripts_and_styles(self, visit):
        sizes = {}
        visit.page.on("requestfinished", lambda request: sizes.update({request.url: len(request.response().body())}))
        visit.log_in()
        visit.page.wait_for_load_state("networkidle")
        code = {url: size for url, size in sizes.items() if url.endswith((".js", ".css"))}
        assert code
        assert sum(code.values()) < 150_000, code


class TestStorePage:
    def test_shows_figures_and_a_check_to_its_end(self, visit, platform, pump):
        visit.log_in()
        page = visit.page
        page.get_by_role("link", name="Store").click()
        expect(page.locator("[data-figure=values]")).not_to_be_empty(timeout=SOON)
        page.get_by_role("button", name="Check").click()
        expect(page.locator("[data-store-runs] li").first).to_contain_text("Check: done", timeout=SOON)
        expect(page.get_by_role("button", name="Check")).to_be_enabled(timeout=SOON)
        assert visit.complaints == []
        assert visit.hosts == {urlsplit(platform.url).netloc}

    def test_shows_how_far_imports_are(self, visit, platform, pump, tmp_path):
        file = tmp_path / "pump.csv"
        file.write_text("time,temperature\n1767225600,61\n1767225660,62\n", encoding="utf-8")
        command = [sys.executable, "-m", "techtrack.cli", "import", str(file), "--asset", KEY]
        subprocess.run(command, env=platform.env, check=True, capture_output=True)
        visit.log_in()
        page = visit.page
        page.get_by_role("link", name="Store").click()
        expect(page.locator("[data-store-imports] li").first).to_contain_text("2 of 2 rows", timeout=SOON)
        assert visit.complaints == []
