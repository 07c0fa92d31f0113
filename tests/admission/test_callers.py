"""Who a request is counted for."""

from ipaddress import ip_network

import pytest

from tensoria.admission.callers import Callers, end_user

PROXIES = [ip_network(each) for each in ("10.0.0.0/8", "192.0.2.1/32", "2001:db8:ff::/48")]

# (what, the connection's address, X-Forwarded-For, the caller)
BEHIND = [
    ("a direct call", "198.51.100.7", "", "198.51.100.7"),
    ("a client that claims another address", "198.51.100.7", "203.0.113.9", "198.51.100.7"),
    ("one proxy", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
    ("a client that forges behind a proxy", "10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
    ("two proxies", "10.0.0.1", "203.0.113.9, 192.0.2.1", "203.0.113.9"),
    ("forged, two proxies", "10.0.0.1", "8.8.8.8,203.0.113.9,10.2.3.4", "203.0.113.9"),
    ("all trusted: the first", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ("a port", "10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
    ("brackets", "10.0.0.1", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"),
    ("a proxy by IPv6", "2001:db8:ff::1", "203.0.113.9", "203.0.113.9"),
    ("a proxy by a mapped address", "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
    ("a name that is none", "10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
    ("nonsense", "10.0.0.1", ",,;", "10.0.0.1"),
    ("more hops than anybody has", "10.0.0.1", "203.0.113.9" + ",10.0.0.2" * 40, "10.0.0.2"),
]


@pytest.mark.parametrize(
    ("_name", "address", "forwarded", "caller"), BEHIND, ids=[row[0] for row in BEHIND]
)
def test_behind_proxies(_name: str, address: str, forwarded: str, caller: str) -> None:
    assert Callers(PROXIES).name(None, address, forwarded) == caller


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_is_a_caller(address: str | None, caller: str) -> None:
    assert Callers(()).name(None, address, "192.0.2.200") == caller


def test_a_key_is_a_caller_wherever_it_calls_from() -> None:
    assert Callers(PROXIES).name("key 1f", "10.0.0.1", "203.0.113.9") == "key 1f"


def test_an_end_user_is_a_caller_of_its_own() -> None:
    callers = Callers(())
    names = {callers.name("key 1f", "", end_user=user) for user in (None, "", "ann", "bob")}

    assert names == {"key 1f", "key 1f ann", "key 1f bob"}
    assert len(callers.name("key 1f", "", end_user="x" * 10_000)) < 200


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        ({}, {}, None),
        ({"X-OpenWebUI-User-Id": "1"}, {"user": "2", "safety_identifier": "3"}, "1"),
        ({}, {"user": "2", "safety_identifier": "3"}, "3"),
        ({}, {"user": "2"}, "2"),
        ({"X-OpenWebUI-User-Id": ""}, {"user": "", "safety_identifier": 7}, None),
    ],
)
def test_who_the_end_user_is(
    headers: dict[str, str], body: dict[str, object], named: str | None
) -> None:
    assert end_user(headers, body) == named
