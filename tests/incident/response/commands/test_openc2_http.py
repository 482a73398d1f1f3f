import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response.commands.openc2_http import MEDIA_TYPE, as_http, carry_out, prepare
from incident.response.commands.prepared import Call
from incident.response.commands.result import Ending, Result
from incident.response.model import AgentTarget, Command, Variable
from tests.support.runs import LOOPBACK
from tests.support.services import CalledService

DENY = {
    "action": "deny",
    "target": {"ipv4_net": "__address__:value"},
    "args": {"slpf": {"drop_process": "none"}},
}
WRAPPED = {"headers": {"request_id": "r-1"}, "body": {"openc2": {"request": DENY}}}
DECLARED = {"__address__": Variable(type="string")}


def command(content: object, **more: Any) -> Command:
    return Command(
        type="openc2-http",
        command="POST / HTTP/1.1",
        content_b64=base64.b64encode(json.dumps(content).encode()).decode(),
        **more,
    )


def firewall(url: str) -> AgentTarget:
    return AgentTarget(type="http-api", name="Firewall", address={"url": [url]})


def run(service: CalledService, content: object, address: str = "203.0.113.7") -> Result:
    call = Call(
        command(content),
        firewall(service.url),
        {"__address__": address},
        DECLARED,
        timeout_s=10,
        idempotency_key="R-3",
        authentication=None,
        resolve_secret=lambda name: "",
    )
    return carry_out(call, LOOPBACK)


@pytest.mark.parametrize("content", [DENY, WRAPPED])
def test_a_command_is_sent_with_its_values_bare_or_wrapped(content: dict[str, Any]) -> None:
    with CalledService(answer={"status": 200}) as service:
        assert run(service, content).ending is Ending.done
    wanted = json.loads(json.dumps(content).replace("__address__:value", "203.0.113.7"))
    assert (service.asked, service.keys) == ([wanted], ["R-3"])


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        ({"status": 200}, Ending.done),
        ({"body": {"openc2": {"response": {"status": 200}}}}, Ending.done),
        ({"status": 102}, Ending.ambiguous),
        ({"status": 400, "status_text": "no"}, Ending.answered_no),
        ({"headers": {}, "body": {"openc2": {"response": {"status": 501}}}}, Ending.answered_error),
        ({"body": {"openc2": {"response": {"status": 404}}}}, Ending.answered_no),
        ({"other": 1}, Ending.done),
        ({"body": "text"}, Ending.done),
        ({"body": {"openc2": []}, "status": 500}, Ending.answered_error),
    ],
)
def test_the_status_in_the_answer_counts_though_http_says_200(answer: dict[str, Any], ending: Ending) -> None:
    with CalledService(answer=answer) as service:
        assert run(service, DENY).ending is ending


@pytest.mark.parametrize(
    "content",
    [[], "deny", {}, {"action": "deny"}, {"action": 1, "target": {}}, {"action": "deny", "target": "x"}],
)
def test_what_is_no_openc2_command_is_not_sent(content: object) -> None:
    with pytest.raises(BadInput, match="has an action and a target"):
        as_http(command(content))
    with CalledService() as service:
        assert run(service, content).ending is Ending.not_sent
    assert service.asked == []


def test_content_that_is_not_base64_of_json_is_not_sent() -> None:
    for wrong in (None, "%%%", base64.b64encode(b"{").decode(), base64.b64encode(b"[" * 100_000).decode()):
        with pytest.raises(BadInput):
            as_http(Command(type="openc2-http", command="POST / HTTP/1.1", content_b64=wrong))


def test_the_media_type_is_that_of_openc2_whatever_the_playbook_says() -> None:
    assert as_http(command(DENY, headers={"content-type": ["text/plain"]})).headers == {
        "Content-Type": [MEDIA_TYPE]
    }


@given(st.text(max_size=30))
def test_no_value_adds_a_member_or_changes_the_target(value: str) -> None:
    prepared = prepare(command(DENY), firewall("http://127.0.0.1:9/"), {"__address__": value}, DECLARED)
    assert json.loads(prepared.content) == {**DENY, "target": {"ipv4_net": value}}
