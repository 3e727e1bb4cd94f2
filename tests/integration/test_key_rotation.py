"""``techtrack keys rotate``: a new key for new tokens, and nobody is logged out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from techtrack.config.env import BadSetting, kept_secret, older_secrets, rotate_secret
from tests.plugins.platform import ROOT, _clean_environment

PROGRAM = """
import django, sys
django.setup()
from django.conf import settings
from techtrack.accounts.tokens import decode_access, encode_access
from techtrack.core import clock
number = "00000000-0000-0000-0000-000000000007"
for token in sys.argv[1:]:
    print(decode_access(token, clock.now()).user_id)
print(encode_access(7, number, clock.now()))
"""


class TestRotatedSecret:
    def test_is_another_and_the_one_before_is_kept(self, tmp_path):
        path = tmp_path / "secrets" / "key"
        made = [kept_secret(path)]
        for _ in range(2):
            rotate_secret(path)
            made.append(kept_secret(path))
        assert len(set(made)) == 3
        assert older_secrets(path) == [made[1]]
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
        assert len(list(path.parent.iterdir())) == 2

    def test_is_kept_when_the_new_one_cannot_be_written(self, tmp_path, monkeypatch):
        path = tmp_path / "key"
        before = kept_secret(path)
        steps = []

        def fails(self: Path, target: Path) -> Path:
            steps.append(target)
            if target == path:
                raise OSError(28, "No space left on device")
            return self.rename(target)

        monkeypatch.setattr(Path, "replace", fails)
        with pytest.raises(BadSetting):
            rotate_secret(path)
        assert len(steps) == 2
        assert kept_secret(path) == before
        assert older_secrets(path) == [before]

    def test_that_is_not_there_cannot_be_rotated(self, tmp_path):
        with pytest.raises(BadSetting):
            rotate_secret(tmp_path / "key")


class TestCommand:
    @pytest.fixture
    def run(self, tmp_path):
        def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
            env = _clean_environment() | {
                "TECHTRACK_HOME": str(tmp_path),
                "DATABASE_URL": f"sqlite:///{tmp_path / 'techtrack.sqlite3'}",
                "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
                "PYTHON_DOTENV_DISABLED": "1",
                **changes,
            }
            return subprocess.run(
                [sys.executable, *arguments], env=env, cwd=ROOT, capture_output=True, text=True, check=False
            )

        return run

    def test_leaves_tokens_good_over_one_restart(self, run):
        first = run("-c", PROGRAM).stdout.split()[-1]
        told = run("-m", "techtrack.cli", "keys", "rotate")
        assert told.returncode == 0, told.stderr
        second = run("-c", PROGRAM, first)
        assert second.stdout.split()[0] == "7", second.stderr
        assert run("-m", "techtrack.cli", "keys", "rotate").returncode == 0
        assert "BadToken" in run("-c", PROGRAM, first).stderr
        assert run("-c", PROGRAM, second.stdout.split()[-1]).stdout.startswith("7")

    def test_refuses_where_the_key_comes_from_the_environment(self, run):
        told = run("-m", "techtrack.cli", "keys", "rotate", TECHTRACK_JWT_KEY="a key of the environment " * 2)
        assert told.returncode == 2
        assert "TECHTRACK_JWT_OLD_KEYS" in told.stderr

    def test_reads_tokens_of_a_key_that_is_named_as_old(self, run):
        old, new = "the key of before the rotation " * 2, "the key of after the rotation " * 2
        token = run("-c", PROGRAM, TECHTRACK_JWT_KEY=old.strip()).stdout.split()[-1]
        both = {"TECHTRACK_JWT_KEY": new.strip(), "TECHTRACK_JWT_OLD_KEYS": old.strip()}
        assert run("-c", PROGRAM, token, **both).stdout.startswith("7")
        short = run("-c", PROGRAM, TECHTRACK_JWT_OLD_KEYS="changeme")
        assert "TECHTRACK_JWT_OLD_KEYS is too short" in short.stderr
