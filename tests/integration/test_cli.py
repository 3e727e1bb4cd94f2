"""The command line: what stands in the way is one plain sentence and exit code 2, never a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.plugins import platform

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, home, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TECHTRACK_")}
    settings = {
        "TECHTRACK_HOME": str(home),
        "DATABASE_URL": f"sqlite:///{home}/t.sqlite3",
        "PYTHON_DOTENV_DISABLED": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**clean, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def techtrack(*arguments, home, **environment):
    return run("-m", "techtrack.cli", *arguments, home=home, **environment)


def refused(done, *words):
    """Exit code 2 and one sentence that has the words."""
    assert done.returncode == 2, done.stdout + done.stderr
    said = done.stderr.strip()
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
    for word in words:
        assert word in said


def free_port():
    return str(platform.free_port())


@pytest.fixture
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield str(taken.getsockname()[1])


class TestWorker:
    def test_tells_what_it_counts(self, tmp_path):
        port = free_port()
        environment = {
            **os.environ,
            "TECHTRACK_HOME": str(tmp_path),
            "DATABASE_URL": f"sqlite:///{tmp_path}/t.sqlite3",
            "PYTHON_DOTENV_DISABLED": "1",
        }
        command = [sys.executable, "-m", "techtrack.cli", "worker", "--metrics-port", port]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as worker:
            try:
                assert "works" in worker.stdout.readline()
                told = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
            finally:
                worker.terminate()
        assert "techtrack_readings_resent_total 0.0" in told
        assert worker.returncode == 0

    def test_refuses_a_port_in_use(self, tmp_path, taken_port):
        refused(techtrack("worker", "--metrics-port", taken_port, home=tmp_path), taken_port)


class TestRefusal:
    def test_of_a_port_in_use(self, tmp_path, taken_port):
        refused(techtrack("up", "--port", taken_port, home=tmp_path), taken_port)

    @pytest.mark.parametrize(
        "command",
        [
            pytest.param(["-m", "techtrack.cli", "demo", "--port"], id="by the demo"),
            pytest.param(["manage.py", "runserver"], id="by Django's habit"),
        ],
    )
    def test_of_a_port_in_use_wherever_it_is_asked_for(self, tmp_path, taken_port, command):
        done = run(*command, taken_port, home=tmp_path)
        said = done.stdout + done.stderr
        assert done.returncode == 2, said
        assert f"Port {taken_port}" in said
        assert "Traceback" not in said

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("nonsense", id="no address"),
            pytest.param("mysql://a@b/c", id="another database"),
            pytest.param("sqlite:////nowhere/at/all/t.sqlite3", id="a folder that is not there"),
            pytest.param("postgres://nobody:x@127.0.0.1:1/none", id="nobody listens"),
        ],
    )
    def test_of_a_database_that_cannot_be_used(self, tmp_path, url):
        refused(
            techtrack("up", home=tmp_path, DATABASE_URL=url, PORT=free_port()),
            "DATABASE" if "sqlite" not in url and "postgres" not in url else "database",
        )

    def test_of_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        refused(techtrack("up", home=tmp_path / "file" / "home"), "folder")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SECRET_KEY", "changeme"),
            ("DEBUG", "perhaps"),
            ("REGISTRATION", "sometimes"),
            ("TECHTRACK_MAX_BODY", "much"),
            ("EMAIL_URL", "pigeon://roof"),
            ("LOG_FORMAT", "verse"),
            ("SECRET_KEY_FILE", "/nowhere/secret"),
        ],
    )
    def test_of_a_setting_that_makes_no_sense(self, tmp_path, name, value):
        refused(techtrack("doctor", home=tmp_path, **{name: value}), name.removesuffix("_FILE"))

    def test_of_a_certificate_that_is_not_there(self, tmp_path):
        refused(techtrack("up", "--certfile", "no.pem", home=tmp_path, PORT=free_port()), "no.pem")


class TestDoctor:
    def test_says_what_to_mend_in_an_empty_folder(self, tmp_path):
        done = techtrack("doctor", home=tmp_path)
        assert done.returncode == 1
        assert "migrations are waiting" in done.stdout

    def test_is_content_with_a_platform_that_was_set_up(self, tmp_path):
        assert run("manage.py", "migrate", home=tmp_path).returncode == 0
        person = {"DJANGO_SUPERUSER_USERNAME": "adam", "DJANGO_SUPERUSER_PASSWORD": "correct horse battery staple"}
        made = run("manage.py", "createsuperuser", "--noinput", "--email", "a@example.org", home=tmp_path, **person)
        assert made.returncode == 0, made.stderr
        done = techtrack("doctor", home=tmp_path, PORT=free_port())
        assert done.returncode == 0, done.stdout
        assert "keeps what it acknowledges" in done.stdout


class TestPreparing:
    def test_goes_well_however_many_start_together(self, tmp_path):
        code = "import django; django.setup(); from techtrack.config.server import prepare; prepare()"
        settings = {
            "TECHTRACK_HOME": str(tmp_path),
            "DATABASE_URL": platform.database_url(
                tmp_path, f"techtrack_{tmp_path.parent.name}".replace("-", "_"), new=True
            ),
        }
        started = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=ROOT,
                env={**os.environ, **settings},
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        said = [process.communicate(timeout=120)[1] for process in started]
        assert [process.returncode for process in started] == [0, 0, 0], said


class TestServing:
    def test_is_one_process_however_many_threads_it_has(self, tmp_path):
        """Uvicorn takes WEB_CONCURRENCY for a number of processes, each of which would judge and notify."""
        code = (
            "import django; django.setup(); import uvicorn; from techtrack.config.server import APPLICATION, HOW; "
            "print(uvicorn.Config(APPLICATION).workers, uvicorn.Config(APPLICATION, **HOW).workers)"
        )
        settings = {"DJANGO_SETTINGS_MODULE": "techtrack.config.settings", "WEB_CONCURRENCY": "3"}
        done = run("-c", code, home=tmp_path, **settings)
        assert done.stdout.split() == ["3", "1"], done.stderr


class TestSecrets:
    def test_are_made_once_however_many_start_together(self, tmp_path):
        made = "print(kept_secret(pathlib.Path(sys.argv[1])))"
        code = f"from techtrack.config.env import kept_secret; import sys, pathlib; {made}"
        path = tmp_path / "secrets" / "key"
        started = [
            subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(8)
        ]
        secrets = {process.communicate(timeout=60)[0].strip() for process in started}
        assert len(secrets) == 1
        assert path.stat().st_mode & 0o777 == 0o600


class TestTheStore:
    def test_can_be_looked_after_from_the_command_line(self, tmp_path):
        assert run("manage.py", "migrate", "--verbosity=0", home=tmp_path).returncode == 0
        for command, said in (("check", "Nothing is wrong."), ("stats", "0 readings"), ("rebuild", "computed anew")):
            done = techtrack("store", command, home=tmp_path)
            assert done.returncode == 0, done.stderr
            assert said in done.stdout
