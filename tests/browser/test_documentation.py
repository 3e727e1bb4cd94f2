"""The pages of the API's documentation in Debian's Chromium: they show the operations and ask nobody but us."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests import servers
from tests.browser.test_first_page import QUIET

pytestmark = pytest.mark.browser
# Milliseconds; the viewers build the whole document, which takes a busy machine long.
RENDERED = 90_000.0


@pytest.mark.parametrize("path", ["/swagger/", "/redoc/"])
def test_documentation_is_shown_without_an_outside_request(platform, path):
    chromium = servers.program("chromium", "chromium-browser", how="apt-get install chromium")
    asked: set[str] = set()
    complaints: list[str] = []
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=QUIET) as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.add(request.url))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(platform.url + path)
        expect(page.get_by_text("/api/", exact=True).first).to_be_attached(timeout=RENDERED)
        _scroll_to(page, "/api/equipment/")
        # Redoc fetches its mark once it stands.
        page.wait_for_timeout(500)
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert (hosts, complaints) == ({urlsplit(platform.url).netloc}, [])


def _scroll_to(page, text: str) -> None:
    """Go down until a text is there: the viewers build of a long document only what is in sight."""
    deadline = time.monotonic() + RENDERED / 1000
    while not page.get_by_text(text, exact=True).count():
        assert time.monotonic() < deadline, f"{text} is nowhere on the page"
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(50)
