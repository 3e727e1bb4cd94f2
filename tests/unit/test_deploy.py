"""What is handed to servers: Dockerfile, compose file, proxy, unit. No image is built here; their parts are run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from benchmarks.compose import configure_proxy
from techtrack.core.api import problems
from tests import servers
from tests.plugins.platform import free_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent


def linted(*command: str, text: str) -> subprocess.CompletedProcess[str]:
    """What a linter says of ``text``, given to it as a file."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        where = [str(BIN / command[0]), *command[1:], file.name]
        return subprocess.run(where, capture_output=True, text=True, check=False, timeout=60)


# -- Dockerfile -------------------------------------------------------------------------------------------
def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, argument) of a Dockerfile, continued lines joined and comments dropped."""
    joined = re.sub(r"\\\n\s*", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def dockerfile_faults(text: str) -> list[str]:
    """What a linter of Dockerfiles would say."""
    steps = instructions(text)
    names = [name for name, _ in steps]
    stages = [argument for name, argument in steps if name == "FROM"]
    users = [argument for name, argument in steps if name == "USER"]
    faults = {
        "an instruction is unknown": not set(names) <= KNOWN_INSTRUCTIONS,
        "it is one stage": len(stages) < 2,
        "an image has no tag, or the tag latest": any(
            ":" not in stage.split()[0] or ":latest" in stage for stage in stages
        ),
        "it ends as root": not users or users[-1].split(":")[0] in {"root", "0"},
        "there is no HEALTHCHECK": "HEALTHCHECK" not in names,
        "the command is a shell string": any(
            name in {"CMD", "ENTRYPOINT"} and not argument.startswith("[") for name, argument in steps
        ),
        "ADD where COPY will do": "ADD" in names,
        "pip without hashes": any(
            "pip install" in argument and "--require-hashes" not in argument for _, argument in steps
        ),
        "WORKDIR is not absolute": any(name == "WORKDIR" and not argument.startswith("/") for name, argument in steps),
        "a secret in ENV": any(
            name == "ENV" and re.search(r"(PASSWORD|SECRET|KEY)=", argument) for name, argument in steps
        ),
    }
    return [fault for fault, found in faults.items() if found]


KNOWN_INSTRUCTIONS = {
    "FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "USER", "WORKDIR", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT",
    "CMD", "LABEL", "SHELL", "STOPSIGNAL", "ONBUILD",
}  # fmt: skip


class TestDockerfile:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")

    def test_has_no_faults(self):
        assert dockerfile_faults(self.text) == []

    def test_passes_hadolint_which_notices_a_planted_fault(self):
        assert linted("hadolint", text=self.text).stdout == ""
        assert "DL3002" in linted("hadolint", text=f"{self.text}\nUSER root\n").stdout

    @pytest.mark.parametrize(
        ("good", "bad"),
        [
            ("USER 10001:10001\n", ""),
            ("python:3.12-slim", "python"),
            ("HEALTHCHECK", "LABEL x=1 #"),
            ('CMD ["up"]', "CMD up"),
            ("FROM python:3.12-slim AS build", "ARG x"),
        ],
    )
    def test_a_planted_fault_is_caught(self, good, bad):
        assert dockerfile_faults(self.text.replace(good, bad))

    def test_copies_only_what_is_there_and_not_ignored(self):
        kept = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
        for name, argument in instructions(self.text):
            if name == "COPY" and not argument.startswith("--from"):
                for source in argument.split()[:-1]:
                    assert (ROOT / source).exists(), source
                    assert any(source == path or source.startswith(f"{path}/") for path in kept), source


# -- Compose ----------------------------------------------------------------------------------------------
SERVICE_KEYS = {
    "image", "build", "command", "ports", "environment", "volumes", "depends_on", "healthcheck", "profiles", "restart",
    "secrets", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period",
}  # fmt: skip
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
DURATION = re.compile(r"(\d+(us|ms|s|m|h))+")


def compose_faults(document: dict[str, Any]) -> list[str]:
    """What `docker compose config` would refuse, and what it would not notice."""
    services = document["services"]
    faults = []
    for name, service in services.items():
        faults += [f"{name}: unknown key {key}" for key in set(service) - SERVICE_KEYS]
        faults += [f"{name}: neither image nor build" for _ in [1] if not {"image", "build"} & set(service)]
        faults += _dangling(name, service, document)
        faults += _untestable(name, service)
    return faults


def _dangling(name: str, service: dict[str, Any], document: dict[str, Any]) -> list[str]:
    faults = []
    for other, how in service.get("depends_on", {}).items():
        if other not in document["services"] or how["condition"] not in CONDITIONS:
            faults.append(f"{name}: depends on {other} {how}")
        elif set(document["services"][other].get("profiles", [])) - set(service.get("profiles", [])):
            faults.append(f"{name}: {other} is in another profile")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if not source.startswith((".", "/")) and source not in document["volumes"]:
            faults.append(f"{name}: no volume {source}")
    return faults + [
        f"{name}: no secret {kept}" for kept in service.get("secrets", []) if kept not in document["secrets"]
    ]


def _untestable(name: str, service: dict[str, Any]) -> list[str]:
    check = service.get("healthcheck", {})
    durations = [check[key] for key in ("interval", "timeout") if key in check]
    durations += [service[key] for key in ("stop_grace_period",) if key in service]
    faults = [f"{name}: duration {value}" for value in durations if not DURATION.fullmatch(value)]
    shown = [secret for secret in service.get("environment", {}).values() if re.search(r"//\w+:[^$/]+@", str(secret))]
    return faults + [f"{name}: a password in the environment" for _ in shown]


class TestCompose:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = document["services"]

    def test_has_no_faults(self):
        assert compose_faults(self.document) == []

    def test_is_what_the_compose_specification_says_which_notices_a_planted_fault(self):
        command = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
        assert linted(*command, text=(DEPLOY / "compose.yaml").read_text(encoding="utf-8")).returncode == 0
        planted = yaml.safe_dump({"services": {"web": {"image": "x", "prots": ["80:80"]}}})
        assert "prots" in linted(*command, text=planted).stdout

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"comand": ["up"]}, id="misspelt key"),
            pytest.param({"depends_on": {"nobody": {"condition": "service_started"}}}, id="depends on nobody"),
            pytest.param({"depends_on": {"redis": {"condition": "service_started"}}}, id="depends on another profile"),
            pytest.param({"volumes": ["nowhere:/data"]}, id="unknown volume"),
            pytest.param({"secrets": ["nothing"]}, id="unknown secret"),
            pytest.param({"environment": {"DATABASE_URL": "postgres://me:pw@db/x"}}, id="password in the open"),
        ],
    )
    def test_a_planted_fault_is_caught(self, change):
        planted = {
            **self.document,
            "services": {**self.services, "techtrack": {**self.services["techtrack"], **change}},
        }
        assert compose_faults(planted)

    def test_starts_one_container_unless_asked_for_more(self):
        assert [name for name, service in self.services.items() if "profiles" not in service] == ["techtrack"]

    def test_the_production_profile_has_two_of_each_server_and_a_worker(self):
        commands = [service.get("command", [""])[0] for service in self.services.values()]
        counts = {name: commands.count(name) for name in ("web", "asgi", "worker")}
        assert counts == {"web": 2, "asgi": 2, "worker": 1}
        assert {"proxy", "postgres", "redis"} <= set(self.services)

    def test_sets_only_what_env_example_explains(self):
        explained = (DEPLOY / "env.example").read_text(encoding="utf-8")
        own = (service for service in self.services.values() if service["image"] == "techtrack")
        names = {name.removesuffix("_FILE") for service in own for name in service["environment"]}
        assert [name for name in sorted(names) if f"{name}=" not in explained] == []

    def test_gives_commands_that_the_entry_point_has(self):
        script = (DEPLOY / "entrypoint.sh").read_text(encoding="utf-8")
        own = {service["command"][0] for service in self.services.values() if service["image"] == "techtrack"}
        assert own == set(re.findall(r"^  (\w+)\)$", script, re.MULTILINE))


# -- The proxy and the unit -------------------------------------------------------------------------------
class TestProxy:
    def test_nginx_accepts_its_configuration(self, tmp_path):
        nginx = servers.program("nginx", how="apt-get install nginx-light")
        openssl = servers.program("openssl", how="apt-get install openssl")
        key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
        make = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {key} -out {certificate}"
        subprocess.run([openssl, *make.split()], check=True, capture_output=True)
        text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
        # The names of containers mean nothing here; every other line is tested as it stands.
        text = re.sub(r"server (web|asgi)-\d:", "server 127.0.0.1:", text).replace("/etc/nginx/certs", str(tmp_path))
        (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid; error_log stderr;\n{text}")
        done = subprocess.run(
            [nginx, "-t", "-q", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def test_sends_the_socket_and_readings_to_asgi_and_the_rest_to_web(self):
        text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
        places = dict(re.findall(r"location ([^{]+) \{\s+proxy_pass http://(\w+);", text))
        assert places == {"/ws/live/": "live", "~ ^/api/ingest/?$": "asgi", "/": "web", "@repeatable": "web"}


@pytest.fixture(scope="module")
def lonely(tmp_path_factory) -> Iterator[str]:
    """The address of the proxy with nobody behind it."""
    nginx, folder = servers.program("nginx", how="apt-get install nginx-light"), tmp_path_factory.mktemp("proxy")
    port = free_port()
    configuration = configure_proxy(folder, port=port, web=[free_port()], asgi=[free_port()])
    running = subprocess.Popen([nginx, "-e", str(folder / "log"), "-c", str(configuration)])
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(timeout=30)


class TestNobodyBehindTheProxy:
    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [
            ("GET", "/api/equipment/?search=a", {}),
            ("POST", "/api/equipment/", {"Idempotency-Key": "a"}),
            ("POST", "/api/equipment/", {}),
            ("DELETE", "/api/equipment/1/", {}),
            ("POST", "/api/ingest/", {}),
        ],
    )
    def test_programs_are_told_as_the_platform_would(self, lonely, method, path, headers):
        answer = requests.request(method, f"{lonely}{path}", headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, problems.MEDIA_TYPE)
        assert int(answer.headers["Retry-After"]) > 0
        said, ours = answer.json(), problems.problem(503, code="unavailable", detail="", faults=[], instance="")
        assert said.keys() == ours.keys()
        same = ("type", "title", "status", "code", "errors")
        assert [said[name] for name in same] == [ours[name] for name in same]
        assert said["instance"] == path.partition("?")[0]
        assert said["request_id"] == answer.headers["X-Request-ID"]

    def test_a_path_cannot_break_what_is_said(self, lonely):
        answer = requests.get(f'{lonely}/api/%22,"x/', timeout=10)
        assert answer.json()["status"] == 503

    @pytest.mark.parametrize("path", ["/", "/alerts/", "/ws/live/"])
    def test_people_are_told_in_words(self, lonely, path):
        answer = requests.get(f"{lonely}{path}", timeout=10)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "again in a moment" in answer.text


class TestUnit:
    def test_systemd_accepts_it(self):
        analyze = servers.program("systemd-analyze", how="part of systemd")
        done = subprocess.run(
            [analyze, "verify", str(DEPLOY / "techtrack.service")], capture_output=True, text=True, check=False
        )
        # The program is at home in /opt/techtrack, not here.
        faults = [
            line for line in done.stderr.splitlines() if "techtrack.service" in line and "not executable" not in line
        ]
        assert faults == []


# -- The entry point --------------------------------------------------------------------------------------
@pytest.fixture
def container(tmp_path) -> dict[str, str]:
    """The environment of the image, less the image: a folder for /data, the checkout for /app."""
    shutil.copytree(DEPLOY, tmp_path / "app" / "deploy")
    for name in ("techtrack", "manage.py"):
        (tmp_path / "app" / name).symlink_to(ROOT / name)
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "TECHTRACK_HOME": str(tmp_path / "data"),
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tmp_path / "app"),
        "DJANGO_SUPERUSER_USERNAME": "adam",
        "DJANGO_SUPERUSER_PASSWORD": "correct horse battery staple",
        "ENTRYPOINT": str(tmp_path / "app" / "deploy" / "entrypoint.sh"),
    }


def enter(container: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the entry point to its end."""
    return subprocess.run(
        [container["ENTRYPOINT"], *arguments], env=container, capture_output=True, text=True, check=False, timeout=120
    )


class TestEntryPoint:
    def test_is_plain_sh(self):
        assert subprocess.run(["/bin/sh", "-n", str(DEPLOY / "entrypoint.sh")], check=False).returncode == 0

    def test_migrates_and_makes_the_first_admin_however_often(self, container):
        first, second = enter(container, "migrate"), enter(container, "migrate")
        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        assert "is there already" in second.stdout

    def test_refuses_an_admin_that_cannot_be_made(self, container):
        done = enter(container | {"DJANGO_SUPERUSER_USERNAME": "not a name!"}, "migrate")
        assert done.returncode == 1
        assert "username" in done.stderr.lower()

    def test_reads_the_password_from_a_file(self, container, tmp_path):
        (tmp_path / "password").write_text("correct horse battery staple")
        del container["DJANGO_SUPERUSER_PASSWORD"]
        done = enter(container | {"DJANGO_SUPERUSER_PASSWORD_FILE": str(tmp_path / "password")}, "migrate")
        assert "Superuser created" in done.stdout + done.stderr or done.returncode == 0
        assert "is there already" in enter(container | {"DJANGO_SUPERUSER_PASSWORD": "x" * 20}, "migrate").stdout

    def test_runs_any_other_command_as_it_stands(self, container):
        assert enter(container, "echo", "hello").stdout == "hello\n"

    @pytest.mark.parametrize("command", ["up", "web", "asgi"])
    def test_serves(self, container, command):
        if command != "up":
            assert enter(container, "migrate").returncode == 0
        log = Path(container["TECHTRACK_HOME"]).with_name("log")
        with log.open("wb") as out:
            server = subprocess.Popen([container["ENTRYPOINT"], command], env=container, stdout=out, stderr=out)
        try:
            check = next(argument for name, argument in instructions(TestDockerfile.text) if name == "HEALTHCHECK")
            assert healthy(yaml.safe_load(check.partition("CMD ")[2]), container, server), log.read_text()[-3000:]
            answer = requests.get(f"http://127.0.0.1:{container['PORT']}/readyz", timeout=10)
            assert answer.status_code == 200, answer.text
        finally:
            server.terminate()
            server.wait(timeout=30)


def healthy(check: list[str], container: dict[str, str], server: subprocess.Popen[bytes]) -> bool:
    """Run the image's own health check until it passes; the port is this test's."""
    command = [part.replace(":8000", f":{container['PORT']}") for part in check]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if subprocess.run(command, env=container, capture_output=True, check=False).returncode == 0:
            return True
        if server.poll() is not None:
            return False
        time.sleep(0.2)
    return False
