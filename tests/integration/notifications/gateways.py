"""Gateways on loopback: servers that do what they are told, so badly as one likes."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Speaking = Callable[[socket.socket], None]


@contextmanager
def serving(speak: Speaking, *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on 127.0.0.1 that has ``speak`` answer each connection in a thread of its own; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(sock: socket.socket) -> None:
            with sock, suppress(OSError):
                if tls is None:
                    speak(sock)
                    return
                with tls.wrap_socket(sock, server_side=True) as wrapped:
                    speak(wrapped)

        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True))
                    threads[-1].start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    # What was taken is noted after the other side has heard so.
    for thread in threads:
        thread.join(5)


class Http:
    """Answers each request with the next of ``answers`` (the last one for ever), and keeps what was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.names: list[str] = []

    def __call__(self, sock: socket.socket) -> None:
        file = sock.makefile("rb")
        line = file.readline().decode().strip()
        headers: dict[str, str] = {}
        while (header := file.readline().decode().strip()) != "":
            name, _, value = header.partition(":")
            self.names.append(name.strip().lower())
            headers[name.strip().lower()] = value.strip()
        body = file.read(int(headers.get("content-length", "0")))
        self.requests.append((line, headers, body))
        file.close()
        sock.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """An answer over HTTP."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Smtp:
    """A mail server that follows ``script``: by command, what it answers; None is silence, "" hangs up."""

    def __init__(self, **script: Any) -> None:
        self.script = {"BANNER": b"220 ready", "EHLO": b"250 hello", "DATA": b"354 go on", "END": b"250 taken"} | script
        self.mails: list[bytes] = []

    def __call__(self, sock: socket.socket) -> None:
        file = sock.makefile("rb")
        if not self._say(sock, "BANNER"):
            return
        while line := file.readline():
            command = line.decode(errors="replace").split()[0].upper()
            if not self._say(sock, command):
                return
            if command == "DATA":
                mail = b""
                while (part := file.readline()) not in {b".\r\n", b""}:
                    mail += part
                if not self._say(sock, "END"):
                    return
                self.mails.append(mail)
        file.close()

    def _say(self, sock: socket.socket, command: str) -> bool:
        said = self.script.get(command, b"250 fine")
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if callable(said):
            said(sock)
        elif said is None:
            sock.recv(1)
            return False
        elif said == b"":
            return False
        else:
            sock.sendall(said + b"\r\n")
        return True


def drip(sock: socket.socket) -> None:
    """Say a byte at a time, for ever."""
    while True:
        sock.sendall(b"2")
        time.sleep(0.05)


def flood(sock: socket.socket) -> None:
    """Say more than anybody reads."""
    for _ in range(10 * 1024):
        sock.sendall(b"250-" + b"x" * 1018 + b"\r\n")


def reset(sock: socket.socket) -> None:
    """Break the connection off, as a machine that loses power does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


class Authority:
    """A certificate authority of the test; ``file`` holds its certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the test")])
        self.file = folder / "authority.pem"
        certificate = self._signed(self._name, self._key, ca=True, host=None)
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, host: str) -> ssl.SSLContext:
        """What a server for ``host`` shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._signed(name, key, ca=False, host=host)
        file = self._folder / f"{host}.pem"
        plain = serialization.NoEncryption()
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(self, name: x509.Name, key: Any, *, ca: bool, host: str | None) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())
