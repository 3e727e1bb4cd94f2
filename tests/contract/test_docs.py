"""The documents: every link leads somewhere, and the tutorial's commands do what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import servers

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)[^)]*\)|!\[[^\]]*\]\(([^)\s]+)[^)]*\)")
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
RUN = re.compile(r"<!-- run -->\s*```sh\n(.*?)```", re.DOTALL)


def broken_links(text: str, page: Path) -> list[str]:
    """Links of a page that lead to no file, and anchors that lead to no heading."""
    targets = [first or second for first, second in LINK.findall(CODE.sub("", text))]
    return [target for target in targets if not _leads(target, page)]


def _leads(target: str, page: Path) -> bool:
    if re.match(r"[a-z]+:", target):
        return target.startswith(("https://", "http://", "mailto:"))
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists() or ROOT not in [file, *file.parents]:
        return False
    return not anchor or file.suffix != ".md" or anchor in anchors(file.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The anchors that headings get."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> list[str]:
    """The shell blocks of a page that a test is to run, marked by ``<!-- run -->``."""
    return RUN.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestPage:
    def test_links_lead_somewhere(self, page):
        assert broken_links(page.read_text(encoding="utf-8"), page) == []


class TestLinks:
    @pytest.mark.parametrize(
        "target", ["nowhere.md", "#no-such-heading", "../../../etc/passwd", "README.md#nothing-here"]
    )
    def test_a_planted_dead_link_is_caught(self, target):
        assert broken_links(f"See [this]({target}).", ROOT / "CONTRIBUTING.md")

    @pytest.mark.parametrize(
        "text", ["[x](CONTRIBUTING.md)", "[x](CONTRIBUTING.md#style)", "`[x](y)`", "[x](https://a.b)"]
    )
    def test_a_live_link_passes(self, text):
        assert broken_links(text, ROOT / "SECURITY.md") == []


TUTORIAL = [page for page in PAGES if commands(page.read_text(encoding="utf-8"))]


class TestTutorial:
    def test_has_commands_to_run(self):
        assert [page for page in TUTORIAL if "tutorial" in page.parts]

    @pytest.mark.parametrize("page", TUTORIAL, ids=lambda page: str(page.relative_to(ROOT)))
    def test_does_what_it_says(self, page, platform, tmp_path):
        servers.program("curl", how="apt-get install curl")
        # One shell for the whole page: what an early block sets, a later one uses.
        script = "set -eu\n" + "\n".join(commands(page.read_text(encoding="utf-8")))
        env = platform.env | {"BASE": platform.url, "TOKEN": platform.token(), "WS": platform.ws_url}
        done = subprocess.run(
            ["/bin/sh", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def test_a_planted_failing_command_is_caught(self):
        assert commands("<!-- run -->\n```sh\nfalse\n```\n") == ["false\n"]
        assert commands("```sh\nnot run\n```\n") == []
