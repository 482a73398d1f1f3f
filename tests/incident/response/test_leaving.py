"""What certainly cannot leave is said before the start, all at once."""

from pathlib import Path
from typing import Any

import pytest

from incident.hosts import host_rule
from incident.response.commands.going_out import GoingOut
from incident.response.leaving import CannotLeave, Objection, objections
from incident.response.model import Playbook
from incident.response.variables import first_values
from tests.support.playbooks import Builder

AGENTS = {
    "people": {"type": "group", "name": "People"},
    "gateway": {"type": "http-api", "name": "Gateway", "address": {"dname": ["__gateway__:value"]}},
    "fixed": {"type": "http-api", "name": "Fixed", "address": {"url": ["https://api.example/v1"]}},
    "host": {
        "type": "ssh",
        "name": "Host",
        "address": {"dname": ["db.example"]},
        "authentication_info": "login",
    },
    "here": {"type": "linux", "name": "Here", "address": {"dname": ["localhost"]}},
}
LOGIN = {"login": {"type": "user-auth", "username": "ops", "kms": True, "kms_key_identifier": "ssh-key"}}
POST = {"type": "http-api", "command": "POST /x HTTP/1.1"}
ALL = GoingOut(hosts=tuple(host_rule(each) for each in ("*.example", "api.example")), bash=True)


def of(build: Builder, agent: str, command: dict[str, Any], **step: Any) -> Playbook:
    return build(
        {
            "start": {"type": "start", "on_completion": "act"},
            "act": {"type": "action", "agent": agent, "commands": [command], "on_completion": "end", **step},
            "end": {"type": "end"},
        },
        agent_definitions=AGENTS,
        authentication_info_definitions=LOGIN,
        playbook_variables={
            "__gateway__": {"type": "string", "external": True, "value": ""},
            "__who__": {"type": "string", "external": True, "value": None},
        },
    )


def found(
    playbook: Playbook,
    rules: GoingOut,
    given: dict[str, str] | None = None,
    *,
    children: dict[str, Playbook] | None = None,
    secrets: tuple[str, ...] = (),
) -> list[Objection]:
    return objections(playbook, children or {}, first_values(playbook, given or {}), rules, secrets=secrets)


def test_a_host_that_is_not_declared_is_named_with_its_step_and_cure(build: Builder) -> None:
    [one] = found(of(build, "fixed", POST), GoingOut())
    assert str(one) == (
        "test, step “act”: api.example:443 is not among the hosts that playbooks may reach; add "
        '"api.example:443" to [playbooks] hosts in incident.toml'
    )
    assert found(of(build, "fixed", POST), ALL) == []
    assert "api.example:443" in str(CannotLeave([one]))


def test_an_address_that_is_empty_leaves_the_route_by_hand_open(build: Builder) -> None:
    playbook = of(build, "gateway", POST)
    assert found(playbook, GoingOut()) == []
    assert len(found(playbook, GoingOut(), {"__gateway__": "evil.test"})) == 1
    assert found(playbook, ALL, {"__gateway__": "a.example"}) == []


def test_an_address_that_a_step_may_still_change_is_not_certain(build: Builder) -> None:
    assert (
        found(of(build, "gateway", POST, out_args=["__gateway__"]), GoingOut(), {"__gateway__": "evil.test"})
        == []
    )


def test_unknown_values_elsewhere_in_a_command_do_not_hide_where_it_goes(build: Builder) -> None:
    command = {"type": "http-api", "command": "POST /__who__:value HTTP/1.1"}
    assert len(found(of(build, "fixed", command), GoingOut())) == 1


def test_an_address_that_is_none_is_an_objection(build: Builder) -> None:
    [one] = found(of(build, "gateway", POST), ALL, {"__gateway__": "a b"})
    assert "not the name or IPv4 address of a host" in one.what


def test_bash_must_be_enabled(build: Builder) -> None:
    playbook = of(build, "here", {"type": "bash", "command": "true"})
    [one] = found(playbook, GoingOut())
    assert (one.what, one.cure) == (
        "commands on this machine are not enabled here",
        "who wants them sets [playbooks] bash = true in incident.toml",
    )
    assert found(playbook, ALL) == []


def test_ssh_needs_known_hosts_and_the_name_of_its_secret(build: Builder, tmp_path: Path) -> None:
    playbook = of(build, "host", {"type": "ssh", "command": "true"})
    no_file, no_secret = found(playbook, ALL)
    assert "no file of known hosts is named" in no_file.what
    assert "no secret of the name 'ssh-key'" in no_secret.what and '"ssh-key" = ' in no_secret.cure
    missing = GoingOut(hosts=ALL.hosts, known_hosts=tmp_path / "known_hosts")
    assert "cannot be read" in found(playbook, missing, secrets=("ssh-key",))[0].what
    (tmp_path / "known_hosts").write_text("")
    assert found(playbook, missing, secrets=("ssh-key",)) == []


def test_the_playbooks_that_it_calls_count_too(build: Builder) -> None:
    child = of(build, "fixed", POST)
    assert (
        len(
            found(
                of(build, "here", {"type": "bash", "command": "true"}),
                GoingOut(bash=True),
                children={child.id: child},
            )
        )
        == 1
    )


@pytest.mark.parametrize("command", [{"type": "manual", "command": "do it"}])
def test_what_people_do_needs_no_leave(build: Builder, command: dict[str, Any]) -> None:
    assert found(of(build, "people", command), GoingOut()) == []
