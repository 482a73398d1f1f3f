"""Who signs in, as a dry run names it."""

import pytest

from incident.response.commands.going_out import GoingOut, host_rule
from incident.response.planning import Outside, PlannedCall, plan_run
from tests.support.playbooks import Builder

ALLOWED = Outside(GoingOut(hosts=(host_rule("*.example"),)), secret_problem=lambda name: None)


@pytest.mark.parametrize(("value", "shown"), [("tocsin", "tocsin"), (None, "⟨v⟩")])
def test_who_signs_in_is_named_once_it_is_known(build: Builder, value: str | None, shown: str) -> None:
    host = {
        "type": "ssh",
        "name": "H",
        "address": {"dname": ["machine.example"]},
        "authentication_info": "login",
    }
    playbook = build(
        {
            "start": {"type": "start", "on_completion": "one"},
            "one": {
                "type": "action",
                "name": "one",
                "agent": "machine",
                "commands": [{"type": "ssh", "command": "true"}],
                "on_completion": "end",
            },
            "end": {"type": "end"},
        },
        playbook_variables={"__v__": {"type": "string", "value": value}},
        authentication_info_definitions={"login": {"type": "user-auth", "username": "__v__:value"}},
        agent_definitions={"machine": host},
    )
    plan = plan_run(playbook, {}, {}, run="RUN-1", outside=ALLOWED)
    assert [
        call.user for step in plan.steps.values() for call in step.work if isinstance(call, PlannedCall)
    ] == [shown]
