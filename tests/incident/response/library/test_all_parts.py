"""What holds for every reusable containment part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.record.measures import measure_catalogue
from incident.response.commands.result import Ending
from incident.response.commands.shell import shell_text
from incident.response.events import Outcome
from incident.response.extensions import measures_of, verification_of
from incident.response.findings import Severity
from incident.response.form import check, load, to_cacao
from incident.response.model import ActionStep, Command, dump
from incident.response.variables import references
from incident.response.yamltext import read_yaml
from tests.incident.response.test_form import schema_errors
from tests.support.hosts import Host
from tests.support.parts import FOLDER, on_host, part

IDS = {
    "contain-postgresql-role": "playbook--6d74ecc7-fe91-4607-8f97-399cd0b3f58d",
    "remove-ssh-key": "playbook--0a711664-d500-4775-a2e9-752dff6a4906",
    "block-address-nftables": "playbook--fb7660be-d459-4c13-aeb6-87e869cae0f4",
    "lock-account-ldap": "playbook--f64babe4-586c-4e1a-967d-22801f32e1a3",
    "disable-endpoint-nginx": "playbook--39f23c00-0f43-4e8c-87f0-a75b49dfc72c",
    "throttle-api-nginx": "playbook--9f3bce24-3a8e-454a-a679-4fabab7cf7e0",
    "disable-endpoint-haproxy": "playbook--982f3d74-0d7d-46a7-98a1-412d12c10fac",
    "throttle-api-haproxy": "playbook--23cd0273-9076-4940-a36a-99041a8ef95f",
    "lock-account-keycloak": "playbook--c169dc27-30c9-4dea-910d-792eb190b0d6",
    "step-up-authentication-keycloak": "playbook--56414540-89bb-4232-9f31-0cc187d7a79c",
    "revoke-token-github": "playbook--aac18b62-554c-4076-a0f0-8a53f7838a0e",
    "block-public-access-s3": "playbook--0e0b3470-2670-4754-ab62-5ae17853d366",
}
each_part = pytest.mark.parametrize("name", IDS)


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def contained(name: str) -> dict[str, ActionStep]:
    """The steps that act on systems by themselves."""
    playbook = part(name)
    return {
        step_id: step
        for step_id, step in playbook.workflow.items()
        if isinstance(step, ActionStep) and measures_of(step) and step.commands[0].type != "manual"
    }


@each_part
def test_lint_finds_no_error_and_no_warning(name: str) -> None:
    found = check(text_of(name), name=name, known_measures=frozenset(measure_catalogue()))
    assert [each for each in found if each.severity is not Severity.note] == []


@each_part
def test_its_id_stays_and_its_export_is_as_the_official_schema_wants(name: str) -> None:
    playbook = part(name)
    assert playbook.id == IDS[name]
    assert dump(load(to_cacao(playbook), name=name).playbook) == dump(playbook)
    assert schema_errors(dump(playbook)) == []


@each_part
def test_what_people_read_is_in_both_languages(name: str) -> None:
    def texts(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
        if not isinstance(found, dict):
            return
        for key, value in found.items():
            inside = path.startswith(("/workflow", "/agent_definitions")) or not path
            if key in {"name", "description"} and inside and "/playbook_variables" not in path:
                yield f"{path}/{key}", value
            if isinstance(value, dict):
                yield from texts(value, f"{path}/{key}")
            for number, each in enumerate(value if isinstance(value, list) else []):
                if isinstance(each, dict) and each.get("type") == "manual":
                    yield f"{path}/{key}/{number}", each["command"]

    found = dict(texts(read_yaml(text_of(name), name=name).data))
    assert len(found) > 5
    for path, value in found.items():
        assert isinstance(value, dict) and set(value) == {"en", "zh-Hans"}, path


@each_part
def test_every_action_names_its_owner_its_blast_radius_and_is_verified(name: str) -> None:
    playbook = part(name)
    verified = {
        each
        for step in playbook.workflow.values()
        for each in (verification_of(step).verifies if verification_of(step) else [])  # type: ignore[union-attr]
    }
    steps = contained(name)
    assert steps
    for step_id, step in steps.items():
        action = measures_of(step)
        assert action is not None and action.owner in playbook.agent_definitions and action.blast_radius
        assert step_id in verified
        assert bool(action.undo_ids) == bool(action.undo_commands)
        assert (step.timeout and step.on_failure) or name.endswith("keycloak")


@each_part
def test_undo_uses_only_what_the_playbook_knows_and_the_shell_is_given_nothing_bare(name: str) -> None:
    playbook = part(name)
    for step in contained(name).values():
        action = measures_of(step)
        assert action is not None
        for each in [*step.commands, *(Command.model_validate(each) for each in action.undo_commands)]:
            script = each.command or ""
            assert set(references(script)) <= set(playbook.playbook_variables)
            if each.type == "ssh":
                assert script.startswith("set -eu\n")
                # A value only ever goes into a variable of the shell, where the script then checks or quotes it.
                assert not re.findall(r"(?<![a-z_]=)__[a-z_]+__:value", script)


HOSTILE = (
    "'; : >/run/owned; '",
    '"; : >/run/owned; "',
    "$(: >/run/owned) `: >/run/owned` ${x:=$(: >/run/owned)}",
    "\n: >/run/owned\nEOF\n: >/run/owned\nSQL\n: >/run/owned\n",
    "x) : >/run/owned ;; esac; } ; : >/run/owned #",
)


def test_no_value_of_any_variable_is_ever_run_by_a_shell(tmp_path: Path) -> None:
    texts = []
    for name in IDS:
        playbook = part(name)
        steps = [each for each in playbook.workflow.values() if isinstance(each, ActionStep)]
        commands = [each for step in steps for each in step.commands]
        for step in contained(name).values():
            action = measures_of(step)
            commands += [Command.model_validate(each) for each in (action.undo_commands if action else [])]
        for script in [each.command or "" for each in commands if each.type == "ssh"]:
            given = [dict.fromkeys(references(script), hostile) for hostile in HOSTILE]
            texts += [shell_text(script, values, playbook.playbook_variables) for values in given]
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for number, text in enumerate(texts):
        (scripts / str(number)).write_text(text)
    # No program is found, so only what the shell itself does is done.
    each_of_them = f"for each in {scripts}/*; do env -i PATH=/none /bin/sh $each; done"
    with Host(tmp_path / "host") as host:
        host.run("/bin/sh", "-c", each_of_them, check=False)
        assert not (host.root / "run" / "owned").exists()
        (scripts / "last").write_text(HOSTILE[3])
        host.run("/bin/sh", "-c", each_of_them, check=False)
        assert (host.root / "run" / "owned").exists()


@pytest.mark.parametrize("variable", ["__ssh_port__", "__firewall_host__", "__ssh_user__"])
def test_where_it_goes_is_an_address_and_a_port_or_nothing_is_sent(variable: str, tmp_path: Path) -> None:
    with Host(tmp_path / "host") as host:
        given = {"__address__": "192.0.2.9", variable: HOSTILE[0]}
        done = on_host(host, "block-address-nftables")(**given)
        assert done.outcome is Outcome.failed
        assert {each.ending for each in done.said["look"]} == {Ending.not_sent}
