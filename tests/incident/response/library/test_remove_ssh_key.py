"""The part that removes an SSH key, on a real sshd that reads the very files it changes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident.response.events import Outcome
from tests.support.hosts import Host, fingerprint, make_key
from tests.support.parts import Carried, on_host
from tests.support.tools import need_tool

PART = "remove-ssh-key"
OPTIONS = 'from="127.0.0.1",command="echo \\"in as $USER\\"",no-pty'


@dataclass(frozen=True)
class Account:
    """An account with the attacker's key between two others."""

    host: Host
    attacker: Path
    other: Path
    text: str

    def carry(self, **given: str) -> Carried:
        about = {
            "__account__": "deploy",
            "__key_fingerprint__": fingerprint(self.attacker.with_suffix(".pub")),
        }
        return on_host(self.host, PART)(**{**about, **given})

    @property
    def keys(self) -> str:
        return (self.host.home("deploy") / ".ssh" / "authorized_keys").read_text()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    need_tool("ps", "procps")
    with Host(tmp_path / "host", accounts=("deploy", "web")) as host:
        attacker, other = tmp_path / "attacker", tmp_path / "other"
        bad, good = make_key(attacker, "backup job;  $(id) 'nightly'"), make_key(other)
        text = f"# keys of the team\n{good}\n\n{OPTIONS} {bad}\n{make_key(tmp_path / 'third')}\n"
        host.let_in("deploy", text)
        host.let_in("web", f"{bad}\n")
        yield Account(host, attacker, other, text)


def test_the_key_signs_in_before_not_after_and_again_once_undone(account: Account) -> None:
    host = account.host
    assert host.sign_in("deploy", account.attacker).stdout == "in as deploy\n"
    done = account.carry()
    assert (done.outcome, done.asked, done.values["__keys_removed__"]) == (Outcome.succeeded, [], "1")
    assert "Permission denied" in host.sign_in("deploy", account.attacker).stderr
    assert host.sign_in("deploy", account.other).stdout == "in\n"
    assert host.sign_in("web", account.attacker).stdout == "in\n"
    assert done.measures() == ["contain.revoke-credential", "contain.terminate-session"]
    assert done.verified() == {"remove", "end-sessions"}
    assert [each.success for each in [*done.undo(), *done.undo()]] == [True, True]
    assert account.keys == account.text
    assert host.sign_in("deploy", account.attacker).stdout == "in as deploy\n"
    file = host.home("deploy") / ".ssh" / "authorized_keys"
    assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, 61_000)


def test_an_open_session_of_the_account_is_ended_and_nobody_elses(account: Account) -> None:
    host = account.host
    forever = "echo in; exec sleep infinity"
    with (
        subprocess.Popen(
            host.ssh_command("deploy", account.other, forever), stdout=subprocess.PIPE
        ) as open_one,
        subprocess.Popen(
            host.ssh_command("web", account.attacker, forever), stdout=subprocess.PIPE
        ) as bystander,
    ):
        try:
            for each in (open_one, bystander):
                assert each.stdout is not None and each.stdout.readline() == b"in\n"
            assert account.carry().outcome is Outcome.succeeded
            assert open_one.wait(20) == 255
            assert bystander.poll() is None
        finally:
            open_one.kill()
            bystander.kill()


def test_the_same_key_in_several_lines_and_a_second_file_is_found_everywhere(account: Account) -> None:
    host = account.host
    config = account.host.folder / "sshd_config"
    config.write_text(
        config.read_text().replace(".ssh/authorized_keys", ".ssh/authorized_keys /home/%u/.ssh/more")
    )
    bad = account.attacker.with_suffix(".pub").read_text()
    host.let_in("deploy", account.text + bad.strip())  # without a line end
    more = host.home("deploy") / ".ssh" / "more"
    more.write_text(bad)
    done = account.carry()
    assert (done.outcome, done.values["__keys_removed__"]) == (Outcome.succeeded, "3")
    assert more.read_text() == ""
    assert "Permission denied" in host.sign_in("deploy", account.attacker).stderr
    assert all(each.success for each in done.undo())
    assert (account.keys, more.read_text()) == (account.text + bad, bad)


def test_a_key_that_is_not_there_is_a_question_to_a_person(account: Account) -> None:
    account.carry()
    again = account.carry()
    assert (again.outcome, again.asked, again.measures()) == (Outcome.failed, ["by-hand"], [])
    assert "the account has no such key" in again.said["find"][0].detail


def test_a_link_that_the_account_laid_leads_to_nothing_that_it_may_not_write(account: Account) -> None:
    host = account.host
    guarded = host.root / "run" / "guarded"
    guarded.write_text(account.text)
    file = host.home("deploy") / ".ssh" / "authorized_keys"
    file.unlink()
    file.symlink_to("/run/guarded")
    host.run("chown", "-h", "deploy:", "/home/deploy/.ssh/authorized_keys")
    account.carry()
    assert guarded.read_text() == account.text


@pytest.mark.parametrize(
    "hostile",
    ["deploy; $(touch /run/owned) ../root", "'\n touch /run/owned #", "tocsin"],
)
def test_a_hostile_account_or_fingerprint_does_nothing_but_fail(hostile: str, account: Account) -> None:
    assert account.carry(__account__=hostile).outcome is Outcome.failed
    assert account.carry(__key_fingerprint__=f"SHA256:{hostile}").outcome is Outcome.failed
    assert account.keys == account.text
    assert not (account.host.root / "run" / "owned").exists()
