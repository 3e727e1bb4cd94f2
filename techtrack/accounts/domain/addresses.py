"""Network addresses of callers: where a request came from, and whether a list of networks has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from techtrack.core.errors import Invalid

MOST_NETWORKS = 100


def client_address(peer: str, forwarded: str, *, behind_proxy: bool) -> str:
    """Return the caller's address: the peer, or behind our proxy the hop that the proxy itself wrote.

    Only the last hop of ``X-Forwarded-For`` is the proxy's word; what is before it, anybody can write.
    """
    if not behind_proxy:
        return peer
    hop = forwarded.rpartition(",")[2].strip()
    return peer if _parsed(hop) is None else hop


def address_of(meta: Mapping[str, str], *, behind_proxy: bool) -> str:
    """Return the address behind a request, of what WSGI tells of it; as ``client_address``."""
    peer, forwarded = meta.get("REMOTE_ADDR") or "", meta.get("HTTP_X_FORWARDED_FOR", "")
    return client_address(peer, forwarded, behind_proxy=behind_proxy)


def normal_networks(networks: Sequence[str], *, pointer: str) -> list[str]:
    """Return addresses and CIDR networks in their usual writing.

    Raises:
        Invalid: one is neither, or there are too many; the pointer names it.

    """
    if len(networks) > MOST_NETWORKS:
        raise Invalid(f"{MOST_NETWORKS} networks at most", pointer=pointer)
    return [_normal(text, f"{pointer}/{index}") for index, text in enumerate(networks)]


def inside(address: str, networks: Sequence[str]) -> bool:
    """Tell whether ``address`` is in one of ``networks``; an empty list has every address."""
    if not networks:
        return True
    found = _parsed(address)
    return found is not None and any(found in ip_network(network) for network in networks)


def _normal(text: str, pointer: str) -> str:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise Invalid("an IP address or a network such as 10.1.0.0/16 is expected", pointer=pointer) from None
    return str(network)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket writes IPv4 callers as ::ffff:10.1.2.3.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
