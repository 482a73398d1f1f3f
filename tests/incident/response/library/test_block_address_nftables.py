"""The part that blocks an address, with the kernel's nftables and an attacker in another network namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident.response.events import Outcome
from tests.support.hosts import Host
from tests.support.networks import Talk, answers, echo, join
from tests.support.parts import Carried, on_host
from tests.support.tools import need_tool

PART = "block-address-nftables"
SOON = 0.7  # seconds after which the blocked one gives up
OWN_RULES = """
table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
	}
}
"""


@dataclass(frozen=True)
class Line:
    """A firewall and an attacker, joined by a cable."""

    firewall: Host
    attacker: Host
    carry: Callable[..., Carried]

    @property
    def rules(self) -> str:
        return self.firewall.run("nft", "list", "ruleset").stdout


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    need_tool("nft", "nftables")
    with Host(tmp_path / "firewall") as firewall, Host(tmp_path / "attacker") as attacker:
        join(firewall, attacker)
        firewall.run("nft", "-f", "-", stdin=OWN_RULES)
        echo(firewall)
        yield Line(firewall, attacker, on_host(firewall, PART))


@pytest.mark.parametrize(
    ("own", "to"), [("10.77.1.2", "10.77.1.1"), ("fd77:1::2", "fd77:1::1")], ids=["IPv4", "IPv6"]
)
def test_the_attacker_connects_before_not_after_and_again_once_undone(own: str, to: str, line: Line) -> None:
    before = line.rules
    with Talk(line.attacker, to, patience=SOON) as open_one:
        assert open_one.say("hello") == "hello"
        done = line.carry(__address__=own)
        assert open_one.say("still there?") == "nothing"
    assert (done.outcome, done.asked) == (Outcome.succeeded, [])
    assert done.measures() == ["contain.block-ip"]
    assert done.verified() == {"block"}
    assert not answers(line.attacker, to, patience=SOON)
    assert [each.success for each in [*done.undo(), *done.undo()]] == [True, True]
    assert answers(line.attacker, to)
    assert line.rules == before


def test_nothing_goes_out_to_the_address_either(line: Line) -> None:
    line.attacker.run("ip", "addr", "add", "10.77.1.3/24", "dev", "up1")
    echo(line.attacker)
    assert answers(line.firewall, "10.77.1.2")
    line.carry(__address__="10.77.1.2")
    assert not answers(line.firewall, "10.77.1.2", patience=SOON)
    assert answers(line.firewall, "10.77.1.3")
    assert OWN_RULES.strip() in line.rules


def test_undoing_one_of_two_leaves_the_other_and_what_was_blocked_before(line: Line) -> None:
    first, second = line.carry(__address__="10.77.1.2"), line.carry(__address__="10.77.1.3")
    again = line.carry(__address__="10.77.1.2")
    assert again.outcome is Outcome.succeeded
    for each in (again, second):
        assert all(result.success for result in each.undo())
    assert "elements = { 10.77.1.2 }" in line.rules
    assert all(result.success for result in first.undo())
    assert "tocsin" not in line.rules


HOSTILE = (
    "0.0.0.0/0",
    "10.77.1.2 }; flush ruleset; add element inet x y {",
    "10.77.1.2\nflush ruleset\n$(touch /run/owned)",
    "::ffff:10.77.1.2",
    "010.077.001.002",
    "10.77.1.0-10.77.1.9",
)


def test_what_is_not_one_address_of_somebody_else_does_nothing_but_fail(line: Line) -> None:
    before = line.rules
    for hostile in HOSTILE:
        assert line.carry(__address__=hostile).outcome is Outcome.failed, hostile
    assert line.rules == before
