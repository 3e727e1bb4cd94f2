"""Decides where requests that people asked for may go: to public addresses, and to what the operator has allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from techtrack.core.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2048
HIGHEST_PORT = 65_535
PUBLIC_PORTS = frozenset({80, 443, 8443})

# Narrower than RFC 3986, because parsers disagree about the rest: no user, no backslash, no fragment, no blank, no
# letter beyond ASCII (full-width digits become an address, and some dots are not dots), no zone of an interface.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9_](?:[a-z0-9_-]|\.(?=[a-z0-9_]))*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]*)?(?:\?[!$%&'()*+,./0-9:;=?@A-Z_a-z~\[\]-]*)?)",
    re.IGNORECASE,
)
# What inet_aton takes for an address and a person does not: 2130706433, 0x7f.1, 127.1, 0177.0.0.1.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_ISATAP = {0x0000_5EFE, 0x0200_5EFE}
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Of the global block: IETF protocols with ORCHID and benchmarks, documentation, and the former 6bone.
_SPECIAL_6 = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20", "3ffe::/16")]
# Relays of 6to4, which pass on into networks that nobody knows; AS112 and AMT answer for others.
_SPECIAL_4 = [IPv4Network(text) for text in ("192.88.99.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24")]


class RefusedDestination(Invalid):
    """Requests may not go there."""

    code = "destination_refused"


@dataclass(frozen=True, slots=True)
class Destination:
    """An address taken apart: ``host`` in small letters and without brackets, ``target`` for the request line."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the header Host has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the operator allows beside public addresses: hosts by name, whatever they resolve to, and networks."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, items: Iterable[str]) -> Allowance:
        """Read hosts, addresses and networks such as ``10.1.0.0/16``.

        Raises:
            ValueError: an item is none of them; the message names it.
        """
        hosts, networks = set(), []
        for item in items:
            try:
                networks.append(ip_network(item))
            except ValueError:
                match = _URL.fullmatch(f"http://{item}/")
                if match is None or match["host"] != item or _NUMERIC.fullmatch(item):
                    raise ValueError(f"{item!r} is neither a host nor a network") from None
                hosts.add(item.lower())
        return cls(frozenset(hosts), tuple(networks))

    def covers(self, host: str, address: Address) -> bool:
        """Tell whether the operator has allowed the host, or the address that it has."""
        plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        return host in self.hosts or any(plain in network for network in self.networks)


def read_url(text: str, *, pointer: str = "") -> Destination:
    """Take an http or https address apart.

    Raises:
        RefusedDestination: it is no plain address of that kind.
    """
    match = _URL.fullmatch(text) if len(text) <= LONGEST_URL else None
    port = int(match["port"] or 0) if match else 0
    if match is None or port > HIGHEST_PORT or (match["port"] and not port):
        raise RefusedDestination(
            "an address such as https://host.example/path is expected: http or https, "
            "ASCII letters, no user name and no fragment",
            pointer=pointer,
        )
    host, secure = match["host"].lower().strip("[]"), match["scheme"].lower() == "https"
    address, bracketed = literal(host), match["host"].startswith("[")
    if bracketed != isinstance(address, IPv6Address) or (address is None and _NUMERIC.fullmatch(host)):
        raise RefusedDestination(f"{host!r} is neither a host nor a plain IP address", pointer=pointer)
    target = match["target"]
    return Destination(
        secure, host, port or (443 if secure else 80), target if target.startswith("/") else f"/{target}"
    )


def literal(host: str) -> Address | None:
    """Return the address that a host is by itself, None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def permit(host: str, port: int, address: Address, allowance: Allowance) -> None:
    """Pass an address that a request to ``host`` may be sent to.

    Raises:
        RefusedDestination: it is not public, or not on a usual port, and the operator has not allowed it.
    """
    if allowance.covers(host, address):
        return
    if not is_public(address):
        where = host if host == str(address) else f"{host} ({address})"
        raise RefusedDestination(
            f"{where} is not a public address; TECHTRACK_PRIVATE_DESTINATIONS can allow addresses of your own network"
        )
    if port not in PUBLIC_PORTS:
        raise RefusedDestination(f"port {port} of {host} is not one of 80, 443 and 8443")


def is_public(address: Address) -> bool:
    """Tell whether an address is global unicast, and every IPv4 address that it holds is too."""
    if isinstance(address, IPv4Address):
        special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL_4)
        return address.is_global and not special
    held = _held(address)
    if held and not all(is_public(one) for one in held):
        return False
    if address in _MAPPED or address in _NAT64 or address in _TEREDO:
        return True
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_6)


def _held(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses to which an IPv6 address may lead, through a translator or a tunnel."""
    number = int(address)
    low, middle = number & 0xFFFF_FFFF, number >> 64 & 0xFFFF_FFFF
    if address in _MAPPED or address in _NAT64:
        return [IPv4Address(low)]
    if address in _SIX_TO_FOUR:
        return [IPv4Address(number >> 80 & 0xFFFF_FFFF)]
    if address in _TEREDO:
        # The client's address is written inverted (RFC 4380).
        return [IPv4Address(middle), IPv4Address(low ^ 0xFFFF_FFFF)]
    return [IPv4Address(low)] if number >> 32 & 0xFFFF_FFFF in _ISATAP else []
