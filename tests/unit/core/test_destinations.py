"""Where requests that people asked for may go: forms of addresses, and what they resolve to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from techtrack.core.destinations import Allowance, Destination, RefusedDestination, is_public, permit, read_url


def secure(host: str, port: int, target: str) -> Destination:
    return Destination(secure=True, host=host, port=port, target=target)


def plain(host: str, port: int, target: str) -> Destination:
    return Destination(secure=False, host=host, port=port, target=target)


class TestReadUrl:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            pytest.param("https://hook.example", secure("hook.example", 443, "/"), id="no path"),
            pytest.param("http://hook.example/a/b?c=d&e=%20", plain("hook.example", 80, "/a/b?c=d&e=%20"),
                         id="path and query"),
            pytest.param("HTTPS://Hook.Example:8443/A", secure("hook.example", 8443, "/A"), id="in capitals"),
            pytest.param("https://hook.example?a=b", secure("hook.example", 443, "/?a=b"), id="query"),
            pytest.param("https://xn--bcher-kva.at/", secure("xn--bcher-kva.at", 443, "/"), id="IDN"),
            pytest.param("http://8.8.8.8/", plain("8.8.8.8", 80, "/"), id="an IPv4 address"),
            pytest.param("http://[2606:4700::1111]:80/", plain("2606:4700::1111", 80, "/"), id="IPv6"),
            pytest.param("https://a_b.example/", secure("a_b.example", 443, "/"), id="an underline"),
        ],
    )  # fmt: skip
    def test_takes_an_address_apart(self, url, expected):
        assert read_url(url) == expected

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("", id="nothing"),
            pytest.param("hook.example/a", id="no scheme"),
            pytest.param("//hook.example/a", id="no scheme but slashes"),
            pytest.param("file:///etc/passwd", id="a file"),
            pytest.param("gopher://127.0.0.1:25/_HELO", id="gopher"),
            pytest.param("ftp://hook.example/", id="ftp"),
            pytest.param("unix:///var/run/docker.sock", id="a socket"),
            pytest.param("http+unix://%2Fvar%2Frun%2Fdocker.sock/", id="a socket over http"),
            pytest.param("dict://127.0.0.1:11211/stats", id="dict"),
            pytest.param("javascript:alert(1)", id="a script"),
            pytest.param("http://", id="no host"),
            pytest.param("http:///path", id="an empty host"),
            pytest.param("http://:80/", id="a port alone"),
            pytest.param("http://2130706433/", id="a decimal number"),
            pytest.param("http://017700000001/", id="an octal number"),
            pytest.param("http://0x7f000001/", id="a hexadecimal number"),
            pytest.param("http://0x7f.0.0.1/", id="a hexadecimal part"),
            pytest.param("http://0177.0.0.1/", id="an octal part"),
            pytest.param("http://127.1/", id="two parts"),
            pytest.param("http://127.0.1/", id="three parts"),
            pytest.param("http://0/", id="zero"),
            pytest.param("http://127.0.0.1.5/", id="five parts"),
            pytest.param("http://256.0.0.1/", id="beyond a byte"),
            pytest.param("http://a.0x1/", id="a name that ends in a number"),
            pytest.param("http://[::1/", id="an open bracket"),
            pytest.param("http://::1/", id="IPv6 without brackets"),
            pytest.param("http://[::1]x/", id="more behind the bracket"),
            pytest.param("http://[fe80::1%25eth0]/", id="a zone"),
            pytest.param("http://[fe80::1%eth0]/", id="a zone, unescaped"),
            pytest.param("http://[127.0.0.1]/", id="IPv4 in brackets"),
            pytest.param("http://[v1.a]/", id="an address of the future"),
            pytest.param("http://user@hook.example/", id="a user"),
            pytest.param("http://hook.example@127.0.0.1/", id="a host as user"),
            pytest.param("http://hook.example:80@127.0.0.1/", id="a host and port as user"),
            pytest.param("http://127.0.0.1#@hook.example/", id="a fragment before at"),
            pytest.param("http://hook.example/#a", id="a fragment"),
            pytest.param("http://hook.example\\@127.0.0.1/", id="a backslash"),
            pytest.param("http:\\\\127.0.0.1/", id="backslashes for slashes"),
            pytest.param("http://127.0.0.1\\.hook.example/", id="a backslash in the host"),
            pytest.param("http://１２７.0.0.1/", id="full-width digits"),  # noqa: RUF001 - such are meant
            pytest.param("http://127。0。0。1/", id="ideographic stops"),
            pytest.param("http://ⓔxample.com/", id="a letter in a circle"),
            pytest.param("http://bücher.example/", id="an umlaut"),
            pytest.param("http://hook.example./", id="a trailing dot"),
            pytest.param("http://hook..example/", id="an empty label"),
            pytest.param("http://.hook.example/", id="a leading dot"),
            pytest.param("http://%31%32%37.0.0.1/", id="an escaped host"),
            pytest.param("http://hook.example/a b", id="a blank"),
            pytest.param("http://hook.example/\r\nX-Evil: 1", id="a break in the path"),
            pytest.param("http://hook.example\r\n/", id="a break in the host"),
            pytest.param("http://hook.example/a\n", id="a trailing break"),
            pytest.param(" http://hook.example/", id="a leading blank"),
            pytest.param("http://hook.example/\0", id="a NUL"),
            pytest.param("http://hook.example/ü", id="an umlaut in the path"),
            pytest.param("http://hook.example:0/", id="port 0"),
            pytest.param("http://hook.example:65536/", id="a port too high"),
            pytest.param("http://hook.example:8o/", id="a port that is none"),
            pytest.param("http://hook.example:-1/", id="a negative port"),
            pytest.param("http://hook.example:/", id="an empty port"),
            pytest.param(f"http://hook.example/{'a' * 2048}", id="too long"),
        ],
    )
    def test_refuses_what_parsers_disagree_about(self, url):
        with pytest.raises(RefusedDestination):
            read_url(url, pointer="/config/url")


class TestIsPublic:
    @pytest.mark.parametrize(
        "address",
        [
            "8.8.8.8",
            "1.1.1.1",
            "198.17.0.1",
            "2606:4700:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ],
    )
    def test_says_so_of_what_everybody_can_reach(self, address):
        assert is_public(ip_address(address))

    @pytest.mark.parametrize(
        "address",
        [
            *("0.0.0.0", "0.1.2.3"),  # noqa: S104 - refused, not bound to
            *("10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
            *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
            *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
            *("192.31.196.1", "192.52.193.1", "192.175.48.1"),
            *("::", "::1", "::127.0.0.1", "::8.8.8.8", "100::1", "64:ff9b:1::1", "2001:db8::1", "2001:10::1"),
            *("2001:2::1", "3fff::1", "3ffe::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1"),
            *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
            *("2002:7f00:1::1", "2002:a00:1::", "2002:c0a8:101::1"),
            *("2001:0:7f00:1::", "2001:0:808:808::80ff:fffe", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:7f00:1"),
        ],
    )  # fmt: skip
    def test_denies_it_of_what_is_inside_or_leads_inside(self, address):
        assert not is_public(ip_address(address))


class TestPermit:
    PUBLIC = ip_address("8.8.8.8")
    PRIVATE = ip_address("10.1.2.3")

    @pytest.mark.parametrize("port", [80, 443, 8443])
    def test_passes_public_addresses_on_usual_ports(self, port):
        permit("hook.example", port, self.PUBLIC, Allowance())

    @pytest.mark.parametrize("port", [22, 25, 6379, 5432, 8080])
    def test_refuses_other_ports(self, port):
        with pytest.raises(RefusedDestination, match=f"port {port}"):
            permit("hook.example", port, self.PUBLIC, Allowance())

    def test_refuses_private_addresses_and_says_what_can_be_done(self):
        with pytest.raises(RefusedDestination, match=r"hook.example \(10.1.2.3\).*TECHTRACK_PRIVATE_DESTINATIONS"):
            permit("hook.example", 80, self.PRIVATE, Allowance())

    @pytest.mark.parametrize("item", ["sms.plant.lan", "SMS.plant.LAN", "10.1.0.0/16", "10.1.2.3"])
    def test_passes_what_the_operator_allows_on_any_port(self, item):
        permit("sms.plant.lan", 9710, self.PRIVATE, Allowance.of([item]))

    def test_passes_an_allowed_address_in_its_mapped_form(self):
        permit("x.example", 80, ip_address("::ffff:10.1.2.3"), Allowance.of(["10.1.0.0/16"]))

    @pytest.mark.parametrize("item", ["sms.plant", "10.2.0.0/16", "plant.lan", "fd00::/8"])
    def test_allows_nothing_beside_it(self, item):
        with pytest.raises(RefusedDestination):
            permit("sms.plant.lan", 80, self.PRIVATE, Allowance.of([item]))


class TestAllowance:
    @pytest.mark.parametrize(
        "item", ["10.1.2.3/16", "http://a.example", "a b", "a.example:80", "127.1", "*", "a/b", ""]
    )
    def test_names_what_is_no_host_and_no_network(self, item):
        with pytest.raises(ValueError, match="neither a host nor a network"):
            Allowance.of(["plant.lan", item])
