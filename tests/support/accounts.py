"""A service of accounts on loopback: an account can be locked and unlocked, and a session of it works or does not."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from types import TracebackType
from typing import Any, Self


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed resets its connection."""


class AccountService:
    """POST /lock, /unlock and /end-sessions change what a session of the account may do; /session answers 403 where it
    works, so that a check succeeds where it is dead. Paths in `broken` answer 500, the first call to one of `hold` gets
    no answer; all calls are in `asked`."""

    def __init__(self) -> None:
        self.locked: set[str] = set()
        self.broken: set[str] = set()
        self.hold: set[str] = set()
        self.held: queue.Queue[str] = queue.Queue()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                status, answer = service._act(self.path, body)
                if self.path in service.hold:
                    service.hold.discard(self.path)
                    service.held.put(self.path)
                    self.connection.settimeout(30)
                    self.connection.recv(1)  # nothing, once the caller is gone
                    self.close_connection = True
                    return
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def session_works(self, account: str) -> bool:
        return account not in self.locked

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def _act(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((path, body))
        if path in self.broken:
            return 500, {}
        account = body["account"]
        if path == "/lock":
            self.locked.add(account)
        elif path == "/unlock":
            self.locked.discard(account)
        elif path == "/session":
            return (403 if self.session_works(account) else 200), {}
        return 200, {"before": f"limit of {account}"}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


CONTAINING = """
id: playbook--7d8f7a1e-5a94-4c1b-8f0a-0a4d5ddf8b11
name: {en: Lock and check, zh-Hans: 停用并核查}
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20T00:00:00Z
playbook_variables:
  __account__: {type: string, external: true}
  __service__: {type: uri, external: true}
  __before__: {type: string}
agent_definitions:
  service: {type: http-api, name: {en: Account service, zh-Hans: 账号服务}, address: {url: ["__service__:value"]}}
  desk: {type: group, name: {en: Identity desk, zh-Hans: 身份管理岗}}
workflow:
  start: {type: start, on_completion: lock}
  lock:
    type: action
    name: {en: Lock the account, zh-Hans: 停用账号}
    agent: service
    out_args: [__before__]
    commands:
      - type: http-api
        command: POST /lock HTTP/1.1
        headers: {Content-Type: [application/json]}
        content: '{"account": "__account__:value"}'
    step_extensions:
      repeatable: {because: a locked account stays locked}
      containment_action:
        action_ids: [contain.lock-account]
        owner: desk
        blast_radius: RADIUS
        expires_after: 3600000
        interrupts: telecom_outage
        undo_commands:
          - type: http-api
            command: POST /unlock HTTP/1.1
            headers: {Content-Type: [application/json]}
            content: '{"account": "__account__:value", "to": "__before__:value"}'
    on_success: end-sessions
  end-sessions:
    type: action
    name: {en: End the sessions, zh-Hans: 结束会话}
    agent: service
    commands:
      - type: http-api
        command: POST /end-sessions HTTP/1.1
        headers: {Content-Type: [application/json]}
        content: '{"account": "__account__:value"}'
    step_extensions: {containment_action: {action_ids: [contain.terminate-session]}}
    on_success: close
  close:
    type: action
    name: {en: Close the interface, zh-Hans: 关闭接口}
    agent: desk
    commands: [{type: manual, command: {en: Close it., zh-Hans: 请关闭接口。}}]
    step_extensions: {containment_action: {action_ids: [contain.disable-endpoint], owner: desk}}
    on_success: check
  check:
    type: action
    name: {en: Check that the session is dead, zh-Hans: 核查会话已失效}
    agent: service
    commands:
      - type: http-api
        command: POST /session HTTP/1.1
        headers: {Content-Type: [application/json]}
        content: '{"account": "__account__:value"}'
    step_extensions: {verification: {verifies: [lock, end-sessions]}}
    on_success: end
    on_failure: tell
  tell:
    type: action
    name: {en: It still works, zh-Hans: 会话仍然有效}
    agent: desk
    commands: [{type: manual, command: {en: Find out why., zh-Hans: 请查明原因。}}]
    on_success: end
  end: {type: end}
"""
"""Locks an account and closes an interface by hand; RADIUS stands for a blast radius."""
