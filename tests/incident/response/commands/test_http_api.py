import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response.commands.going_out import GoingOut
from incident.response.commands.http_api import carry_out, prepared_of
from incident.response.commands.http_request import base_url, build, start_line
from incident.response.commands.prepared import Call
from incident.response.commands.result import BODY_PREFIX, Ending, Result, outputs_from
from incident.response.model import AgentTarget, Authentication, Command, Variable
from tests.support.runs import LOOPBACK


class Service(ThreadingHTTPServer):
    """Keeps what it was asked: method, path, headers, body."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Service

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        path = self.path.partition("?")[0]
        if path == "/slow":
            time.sleep(1)
        if path == "/drop":
            self.connection.close()
            return
        if path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"part")
            self.connection.close()
            return
        status = int(path.removeprefix("/status/")) if path.startswith("/status/") else 200
        body = (
            b"x" * (BODY_PREFIX * 3) if path == "/big" else b'{"ticket_id": 42, "open": true, "nested": {}}'
        )
        self.send_response(status)
        if status in range(300, 400):
            self.send_header("Location", self.headers.get("X-Where", "/followed"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Service]:
    found = Service()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


def agent_at(port: int, path: str = "") -> AgentTarget:
    return AgentTarget(type="http-api", name="service", address={"url": [f"http://127.0.0.1:{port}{path}"]})


def run(
    command: Command,
    agent: AgentTarget,
    variables: dict[str, str | None] | None = None,
    *,
    declared: dict[str, Variable] | None = None,
    authentication: Authentication | None = None,
    resolve_secret: Callable[[str], str] = lambda name: "",
    timeout_s: float = 5,
    rules: GoingOut = LOOPBACK,
) -> Result:
    call = Call(
        command,
        agent,
        variables or {},
        declared or {},
        timeout_s=timeout_s,
        idempotency_key="R-3",
        authentication=authentication,
        resolve_secret=resolve_secret,
    )
    return carry_out(call, rules)


def post(path: str, **more: Any) -> Command:
    return Command(type="http-api", command=f"POST {path} HTTP/1.1", **more)


def test_a_command_goes_out_as_written_with_the_visit_as_its_key(server: Service) -> None:
    command = post(
        "/api/__who__:value?q=__who__:value",
        headers={"Content-Type": ["application/json"], "X-Who": ["__plain__:value"]},
        content='{"name": "__who__:value"}',
    )
    who = 'a/b?"&x=1'
    result = run(command, agent_at(server.server_port, "/base"), {"__who__": who, "__plain__": "p"})
    assert (result.ending, result.status, result.success) == (Ending.done, 200, True)
    method, path, headers, body = server.seen[0]
    assert method == "POST"
    assert path == "/base/api/a%2Fb%3F%22%26x%3D1?q=a%2Fb%3F%22%26x%3D1"
    assert headers["Idempotency-Key"] == "R-3"
    assert headers["X-Who"] == "p"
    assert json.loads(body) == {"name": who}
    assert outputs_from(result, ["__ticket_id__", "__open__", "__nested__", "__absent__"]) == {
        "__ticket_id__": "42",
        "__open__": "true",
    }


def test_a_path_in_another_script_goes_out_as_its_bytes(server: Service) -> None:
    run(post("/用户?名=é|"), agent_at(server.server_port))
    assert server.seen[0][1] == "/%E7%94%A8%E6%88%B7?%E5%90%8D=%C3%A9%7C"


def test_no_library_writes_the_address_into_a_log(server: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        run(post("/members/__who__:value"), agent_at(server.server_port), {"__who__": "13977001122"})
    assert server.seen[0][1] == "/members/13977001122"
    assert "13977001122" not in caplog.text


@pytest.mark.parametrize(
    ("status", "ending"),
    [(204, Ending.done), (302, Ending.answered_no), (404, Ending.answered_no), (503, Ending.answered_error)],
)
def test_only_2xx_is_success_and_redirects_are_not_followed(
    server: Service, status: int, ending: Ending
) -> None:
    result = run(post(f"/status/{status}"), agent_at(server.server_port))
    assert (result.ending, result.status) == (ending, status)
    assert len(server.seen) == 1


def test_a_refused_connection_is_certainly_not_done() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = run(post("/x"), agent_at(port))
    assert result.ending is Ending.not_sent
    assert not result.may_be_done


def test_a_timeout_after_sending_is_ambiguous(server: Service) -> None:
    result = run(post("/slow"), agent_at(server.server_port), timeout_s=0.2)
    assert result.ending is Ending.ambiguous
    assert result.may_be_done
    assert len(server.seen) == 1


def test_a_connection_dropped_without_an_answer_is_ambiguous(server: Service) -> None:
    assert run(post("/drop"), agent_at(server.server_port)).ending is Ending.ambiguous


def test_a_status_that_arrived_counts_though_the_body_broke_off(server: Service) -> None:
    result = run(post("/cut"), agent_at(server.server_port))
    assert (result.ending, result.status) == (Ending.done, 200)


def test_only_the_beginning_of_a_large_answer_is_kept(server: Service) -> None:
    assert (
        len(run(Command(type="http-api", command="GET /big HTTP/1.1"), agent_at(server.server_port)).body)
        == BODY_PREFIX
    )


def test_a_secret_comes_from_its_reference_only(server: Service) -> None:
    agent = agent_at(server.server_port)
    by_name = Authentication(
        type="oauth2", token="", oauth_header="Bearer", kms=True, kms_key_identifier="env:TOKEN"
    )
    result = run(
        post("/x"), agent, authentication=by_name, resolve_secret={"env:TOKEN": "s3cret"}.__getitem__
    )
    assert result.success
    assert server.seen[0][2]["Authorization"] == "Bearer s3cret"
    inline = Authentication(type="http-basic", user_id="u", password="p")
    result = run(post("/x"), agent, authentication=inline, resolve_secret=lambda _: "never")
    assert result.ending is Ending.not_sent
    assert "kms_key_identifier" in result.detail
    assert len(server.seen) == 1


def test_basic_authentication_is_built_from_the_secret() -> None:
    basic = Authentication(type="http-basic", user_id="u", kms=True, kms_key_identifier="env:P")
    request = build(post("/"), agent_at(1), {}, {}, authentication=basic, resolve_secret=lambda _: "p")
    assert ("Authorization", "Basic dTpw") in request.headers
    assert "dTpw" not in repr(request)


@pytest.mark.parametrize(
    "line", ["GET", "get /x HTTP/1.1", "TRACE /x HTTP/1.1", "GET http://x/ HTTP/1.1", "GET /a#b HTTP/1.1"]
)
def test_a_start_line_is_method_path_version(line: str) -> None:
    with pytest.raises(BadInput):
        start_line(Command(type="http-api", command=line))


@pytest.mark.parametrize(
    "name", ["Host", "Content-Length", "Transfer-Encoding", "Idempotency-Key", "X Y", "X\r\nY"]
)
def test_headers_of_the_engine_cannot_be_set(name: str) -> None:
    with pytest.raises(BadInput):
        build(post("/", headers={name: ["1"]}), agent_at(1), {}, {})


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ({"url": ["https://a.example/api/"]}, None, "https://a.example/api"),
        ({"dname": ["a.example"]}, None, "https://a.example:443"),
        ({"dname": ["a.example"]}, "80", "http://a.example:80"),
        ({"ipv4": ["192.0.2.7"]}, "8443", "https://192.0.2.7:8443"),
        ({"dname": ["__uri__:value"]}, None, "http://127.0.0.1:9/disable"),
        ({"url": ["https://__host__:value/x"]}, None, "https://b.example/x"),
    ],
)
def test_where_a_command_is_sent(address: dict[str, list[str]], port: str | None, expected: str) -> None:
    agent = AgentTarget(type="http-api", name="a", address=address, port=port)
    values = {"__uri__": "http://127.0.0.1:9/disable", "__host__": "b.example"}
    declared = {"__uri__": Variable(type="uri"), "__host__": Variable(type="string")}
    assert base_url(agent, values, declared) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "http://user:pw@a.example/",
        "http://a.example/?x=1",
        "//a.example",
        "http://",
        "http://a:99999",
    ],
)
def test_an_address_that_is_no_plain_service_is_refused(uri: str) -> None:
    agent = AgentTarget(type="http-api", name="a", address={"dname": ["__uri__:value"]})
    with pytest.raises(BadInput):
        base_url(agent, {"__uri__": uri}, {"__uri__": Variable(type="uri")})


def test_the_root_path_adds_nothing_to_an_address_with_a_path() -> None:
    assert build(post("/"), agent_at(9, "/disable"), {}, {}).url == "http://127.0.0.1:9/disable"
    assert build(post("/"), agent_at(9), {}, {}).url == "http://127.0.0.1:9/"


def test_variables_go_only_into_content_whose_escaping_is_known() -> None:
    xml = post("/", headers={"Content-Type": ["application/xml"]}, content="<a>__v__:value</a>")
    with pytest.raises(BadInput, match="safely"):
        build(xml, agent_at(1), {"__v__": "x"}, {})
    plain = post("/", headers={"Content-Type": ["application/xml"]}, content="<a/>")
    assert build(plain, agent_at(1), {}, {}).body == b"<a/>"
    assert build(post("/", content_b64="AAE="), agent_at(1), {}, {}).body == b"\x00\x01"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_it_is_said_where_it_points(server: Service, status: int) -> None:
    elsewhere = f"http://127.0.0.1:{server.server_port}/private"
    result = run(post(f"/status/{status}", headers={"X-Where": [elsewhere]}), agent_at(server.server_port))
    assert result.ending is Ending.answered_no
    assert elsewhere in result.detail and "declare its host" in result.detail
    assert len(server.seen) == 1


def test_proxies_of_the_environment_are_ignored(server: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert run(post("/x"), agent_at(server.server_port)).ending is Ending.done


def test_a_host_that_is_not_declared_is_not_called(server: Service) -> None:
    result = run(post("/x"), agent_at(server.server_port), rules=GoingOut())
    assert (result.ending, server.seen) == (Ending.not_sent, [])
    assert "not among the hosts that playbooks may reach" in result.detail


def test_the_name_to_sign_in_as_may_be_a_variable() -> None:
    basic = Authentication(type="http-basic", user_id="__u__:value", kms=True, kms_key_identifier="p")
    request = build(
        post("/"), agent_at(1), {"__u__": "u"}, {}, authentication=basic, resolve_secret=lambda _: "p"
    )
    assert ("Authorization", "Basic dTpw") in request.headers
    with pytest.raises(BadInput, match="no colon"):
        build(
            post("/"), agent_at(1), {"__u__": "u:x"}, {}, authentication=basic, resolve_secret=lambda _: "p"
        )


URLS = st.text("abAB.:/\\@#?%[]0127x-_ \t", max_size=24)


@given(URLS)
def test_whoever_checks_an_address_reads_it_as_whoever_calls_it_does(rest: str) -> None:
    agent = AgentTarget(type="http-api", name="a", address={"dname": ["__uri__:value"]})
    declared = {"__uri__": Variable(type="uri")}
    try:
        request = build(post("/x"), agent, {"__uri__": f"http://{rest}"}, declared)
        url = httpx.URL(request.url)
    except (BadInput, httpx.InvalidURL):
        return
    prepared = prepared_of(request, "http-api")
    assert (prepared.host, prepared.port) == (url.host, url.port or 80)


@given(st.text(max_size=20))
def test_no_value_leaves_its_place_in_path_query_form_or_json(value: str) -> None:
    value = value.encode(errors="replace").decode()
    form = {"Content-Type": ["application/x-www-form-urlencoded"]}
    try:
        asked = build(
            post("/a/__v__:value/b?q=__v__:value&r=1", headers=form, content="f=__v__:value&g=2"),
            agent_at(9),
            {"__v__": value},
            {},
        )
    except BadInput:
        assert value in {".", ".."}
        return
    parts = urlsplit(asked.url)
    assert [unquote(each) for each in parts.path.split("/")] == ["", "a", value, "b"]
    assert parse_qs(parts.query, keep_blank_values=True) == {"q": [value], "r": ["1"]}
    assert parse_qs((asked.body or b"").decode(), keep_blank_values=True) == {"f": [value], "g": ["2"]}
    json_type = {"Content-Type": ["application/json"]}
    asked = build(
        post("/", headers=json_type, content='{"a": "__v__:value", "b": 1}'),
        agent_at(9),
        {"__v__": value},
        {},
    )
    assert json.loads(asked.body or b"") == {"a": value, "b": 1}
