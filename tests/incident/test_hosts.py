from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.hosts import host_rule

LABELS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8).filter(
    lambda x: not x.isdigit()
)
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example"]))
PORTS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("rule", "host", "port"),
    [
        ("db1.example.com", "db1.example.com", 5),
        ("db1.example.com", "DB1.Example.COM.", 5),
        ("DB1.example.com.", "db1.example.com", 5),
        ("db1.example.com:22", "db1.example.com", 22),
        ("*.example.com", "a.b.example.com", 22),
        ("xn--bcher-kva.example", "XN--BCHER-KVA.example", 22),
        ("10.20.0.0/16", "10.20.3.4", 22),
        ("10.20.0.0/16:22", "10.20.3.4", 22),
        ("10.20.0.0/16", "::ffff:10.20.3.4", 22),
        ("10.20.3.4", "[::ffff:0a14:0304]", 22),
        ("::1", "::1", 22),
        ("[::1]:22", "0:0:0:0:0:0:0:1", 22),
        ("[2001:db8::/32]:443", "[2001:DB8::5]", 443),
        ("localhost", "localhost", 1),
    ],
)
def test_a_host_that_was_declared_is_covered(rule: str, host: str, port: int) -> None:
    assert host_rule(rule).covers(host, port)


@pytest.mark.parametrize(
    ("rule", "host", "port"),
    [
        ("db1.example.com", "db1.example.com.evil.example", 5),
        ("db1.example.com", "xdb1.example.com", 5),
        ("db1.example.com:22", "db1.example.com", 23),
        ("*.example.com", "example.com", 22),
        ("*.example.com", "badexample.com", 22),
        ("*.example.com", "10.1.2.3", 22),
        ("10.20.0.0/16", "10.21.0.1", 22),
        ("10.20.0.0/16", "10.20.0.1.example.com", 22),
        ("::/0", "::ffff:127.0.0.1", 22),
        ("::/0", "127.0.0.1", 22),
        ("0.0.0.0/0", "::1", 22),
        ("127.0.0.1", "localhost", 22),
        ("localhost", "127.0.0.1", 22),
        # Old ways of writing 127.0.0.1 that the C library still reads.
        *[
            ("127.0.0.0/8", each, 22)
            for each in ("2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0x7f000001", "127.0.0.01")
        ],
    ],
)
def test_a_host_that_was_not_declared_is_not_covered(rule: str, host: str, port: int) -> None:
    assert not host_rule(rule).covers(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "a..b",
        "-a.example",
        "a b",
        "https://a.example",
        "a.example/x",
        "a.example:0",
        "a.example:70000",
        "a.example:ssh",
        "user@a.example",
        "bücher.example",
        "127.1",
        "2130706433",
        "0x7f.1",
        "*.1",
        "[::1",
        "[10.0.0.1]:22",
        "[a.example]:22",
        "::ffff:10.0.0.1",
        "10.0.0.0/40",
        "a.*.example",
    ],
)
def test_what_is_no_host_is_refused_with_how_it_is_written(text: str) -> None:
    with pytest.raises(BadInput, match="is no host") as caught:
        host_rule(text)
    assert "*.name" in (caught.value.next_step or "")


@given(NAMES, NAMES, PORTS, PORTS)
def test_a_name_covers_itself_and_no_other(name: str, other: str, port: int, other_port: int) -> None:
    assert host_rule(name).covers(name.upper() + ".", port)
    assert host_rule(name).covers(other, port) == (name == other)
    assert host_rule(f"{name}:{port}").covers(name, other_port) == (port == other_port)
    assert host_rule(f"*.{name}").covers(other, port) == other.endswith(f".{name}")


@given(st.ip_addresses(), st.ip_addresses(), st.data())
def test_a_network_covers_its_addresses_and_no_other(
    base: ipaddress.IPv4Address | ipaddress.IPv6Address,
    other: ipaddress.IPv4Address | ipaddress.IPv6Address,
    data: st.DataObject,
) -> None:
    length = data.draw(st.integers(0, base.max_prefixlen))
    network = ipaddress.ip_network(f"{base}/{length}", strict=False)
    try:
        rule = host_rule(f"[{network}]:1" if network.version == 6 else f"{network}:1")
    except BadInput:  # IPv4 written as IPv6
        assert isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
        return
    for each in (base, other):
        if isinstance(each, ipaddress.IPv6Address) and each.ipv4_mapped:
            continue
        assert rule.covers(str(each), 1) == (each.version == network.version and each in network)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_is_more_than_refused(text: str, host: str) -> None:
    try:
        rule = host_rule(text)
    except BadInput:
        return
    assert rule.covers(host, 1) in {True, False}
