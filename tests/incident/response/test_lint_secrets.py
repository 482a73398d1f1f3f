"""What a playbook may say of secrets: their names, and nothing else."""

from typing import Any

import pytest

from incident.response.findings import Severity
from incident.response.lint import lint
from tests.support.playbooks import Builder

HOST = {"type": "ssh", "name": "Host", "address": {"dname": ["db.example"]}, "authentication_info": "login"}


def found(build: Builder, command: str = "true", **signing_in: Any) -> set[str]:
    playbook = build(
        {
            "start": {"type": "start", "on_completion": "act"},
            "act": {
                "type": "action",
                "agent": "host",
                "commands": [{"type": "ssh", "command": command}],
                "step_extensions": {"repeatable": {"because": "twice is as once"}},
                "on_completion": "end",
            },
            "end": {"type": "end"},
        },
        agent_definitions={"host": HOST},
        authentication_info_definitions={"login": {"type": "user-auth", "username": "ops", **signing_in}},
    )
    return {each.code for each in lint(playbook) if each.severity is Severity.error}


def test_a_host_is_signed_in_to_by_a_named_secret_or_by_the_agent(build: Builder) -> None:
    assert found(build, kms=True, kms_key_identifier="ssh-key") == set()
    assert found(build) == set()


def test_a_variable_in_the_name_to_sign_in_as_must_be_declared(build: Builder) -> None:
    assert found(build, username="__who__:value") == {"undeclared-variable"}


@pytest.mark.parametrize("place", ["env:HOME", "file:/etc/shadow", "file:~/.ssh/id_ed25519"])
def test_a_place_of_a_secret_is_refused(build: Builder, place: str) -> None:
    assert found(build, kms=True, kms_key_identifier=place) == {"secret-place"}


def test_a_password_in_the_playbook_is_refused(build: Builder) -> None:
    assert found(build, password="hunter2") == {"inline-secret"}
