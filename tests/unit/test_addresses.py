"""Addresses of callers, and the networks that a key may be used from."""

from __future__ import annotations

import pytest

from techtrack.accounts.domain.addresses import client_address, inside, normal_networks
from techtrack.core.errors import Invalid


class TestClientAddress:
    @pytest.mark.parametrize(
        ("forwarded", "behind_proxy", "address"),
        [
            pytest.param("203.0.113.9", False, "10.0.0.1", id="without a proxy the header is anybody's"),
            pytest.param("198.51.100.1, 203.0.113.9", True, "203.0.113.9", id="the last hop is the proxy's word"),
            pytest.param("2001:db8::5", True, "2001:db8::5", id="IPv6"),
            pytest.param("", True, "10.0.0.1", id="no header"),
            pytest.param("198.51.100.1, unknown", True, "10.0.0.1", id="a hop that is no address"),
        ],
    )
    def test_is(self, forwarded, behind_proxy, address):
        assert client_address("10.0.0.1", forwarded, behind_proxy=behind_proxy) == address


class TestInside:
    @pytest.mark.parametrize(
        ("address", "networks", "answer"),
        [
            pytest.param("10.1.2.3", [], True, id="no list lets all in"),
            pytest.param("10.1.2.3", ["10.1.0.0/16"], True, id="in the network"),
            pytest.param("10.2.2.3", ["10.1.0.0/16"], False, id="outside"),
            pytest.param("::ffff:10.1.2.3", ["10.1.2.3/32"], True, id="IPv4 written as IPv6"),
            pytest.param("2001:db8::1", ["10.0.0.0/8", "2001:db8::/32"], True, id="the second of two"),
            pytest.param("", ["0.0.0.0/0"], False, id="no address is in no network"),
        ],
    )
    def test_tells(self, address, networks, answer):
        assert inside(address, networks) is answer


class TestNormalNetworks:
    def test_writes_them_in_one_way(self):
        assert normal_networks(["10.1.2.3", "10.1.2.3/16", "2001:DB8::0/32"], pointer="/a") == [
            "10.1.2.3/32",
            "10.1.0.0/16",
            "2001:db8::/32",
        ]

    @pytest.mark.parametrize("text", ["", "gateway", "10.1.2", "10.0.0.0/33", "10.0.0.1 "])
    def test_names_the_place_of_what_is_none(self, text):
        with pytest.raises(Invalid) as caught:
            normal_networks(["10.0.0.1", text], pointer="/allowed_addresses")
        assert caught.value.faults[0].pointer == "/allowed_addresses/1"

    def test_bounds_the_list(self):
        with pytest.raises(Invalid):
            normal_networks(["10.0.0.1"] * 101, pointer="/a")
