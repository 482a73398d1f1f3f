"""Services that no package of a distribution holds, as far as our playbooks use them: each checks what it is asked as
the real one would, by its published interface, and keeps a state that a later question shows.

Keycloak: Admin REST API (users, logout, sessions). GitHub: REST API 2022-11-28 (revocation of credentials).
S3: public access block and list of a bucket, with the signature's presence, not its value.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, unquote, urlsplit

# The required actions that Keycloak has a provider for, and that a user may be given.
_ACTIONS = {"UPDATE_PASSWORD", "CONFIGURE_TOTP", "VERIFY_EMAIL", "UPDATE_PROFILE"}


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, if it is declared to be JSON and is."""
        if self.headers.get("content-type", "").partition(";")[0] != "application/json":
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Answer = tuple[int, Any]
"""A status and a body: an object for JSON, bytes as they are, None for none."""


class Service:
    """A service on loopback. Subclasses answer; `asked` is all that it was asked."""

    content_type: ClassVar[str] = "application/json"

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = parse_qs(parts.query, keep_blank_values=True)
                asked = Asked(self.command, parts.path, query, headers, body)
                service.asked.append(asked)
                status, answer = service.answer(asked)
                data = (
                    answer
                    if isinstance(answer, bytes)
                    else json.dumps(answer, separators=(",", ":")).encode()
                )
                data = b"" if answer is None else data
                self.send_response(status)
                self.send_header("Content-Type", service.content_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = _serve

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class User:
    """A user of Keycloak with open sessions."""

    id: str
    enabled: bool = True
    required: list[str] = field(default_factory=list)
    sessions: int = 2
    first_name: str = 'Eve "enabled":false'

    @property
    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "username": "eve",
            "firstName": self.first_name,
            "enabled": self.enabled,
            "requiredActions": self.required,
        }


class Keycloak(Service):
    """One realm, whose name is given, with users; `token` is what an administrator signs in with."""

    def __init__(self, realm: str, *users: User, token: str = "admin-token") -> None:  # noqa: S107
        super().__init__()
        self.realm = realm
        self.users = {each.id: each for each in users}
        self.token = token
        self.sticky: set[str] = set()
        """What does not work although Keycloak says so: "enabled", "logout"."""

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"error": "HTTP 401 Unauthorized"}
        found = re.fullmatch(r"/admin/realms/([^/]+)/users(?:/([^/]+)(/logout|/sessions)?)?", asked.path)
        if found is None or unquote(found[1]) != self.realm:
            return 404, {"error": "Realm not found."}
        if found[2] is None:
            wanted = asked.query.get("search", [""])[0]
            user = self.users.get(wanted.removeprefix("id:").strip()) if wanted.startswith("id:") else None
            return (200, [user.shown] if user else []) if asked.method == "GET" else (405, None)
        user = self.users.get(unquote(found[2]))
        if user is None:
            return 404, {"error": "User not found"}
        match asked.method, found[3]:
            case "GET", None:
                return 200, user.shown
            case "GET", "/sessions":
                return 200, [{"id": str(n), "userId": user.id} for n in range(user.sessions)]
            case "POST", "/logout":
                user.sessions = user.sessions if "logout" in self.sticky else 0
                return 204, None
            case "PUT", None:
                return self._update(user, asked.json)
        return 405, None

    def _update(self, user: User, given: Any) -> Answer:
        """What is not named stays as it is; a list of required actions replaces the one that is there."""
        if not isinstance(given, dict) or not isinstance(given.get("enabled", True), bool):
            return 400, {"error": "unknown_error"}
        if "enabled" in given and "enabled" not in self.sticky:
            user.enabled = given["enabled"]
        if "requiredActions" in given:
            user.required = sorted(set(given["requiredActions"]) & _ACTIONS)
        return 204, None


class GitHub(Service):
    """Tokens that work until they are revoked. `deaf`: it accepts revocations and does nothing."""

    def __init__(self, *tokens: str) -> None:
        super().__init__()
        self.tokens = set(tokens)
        self.deaf = False

    def answer(self, asked: Asked) -> Answer:
        if not asked.headers.get("user-agent"):
            return 403, {"message": "Request forbidden by administrative rules."}
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        match asked.method, asked.path:
            case "POST", "/credentials/revoke":
                given = asked.json
                if bearer:
                    return 403, {"message": "authenticated requests are not allowed"}
                if (
                    not isinstance(given, dict)
                    or list(given) != ["credentials"]
                    or not 0 < len(given["credentials"]) <= 1000
                ):
                    return 422, {"message": "Validation Failed"}
                self.tokens -= set() if self.deaf else set(given["credentials"])
                return 202, {}
            case "GET", "/user":
                return (
                    (200, {"login": "eve"})
                    if bearer in self.tokens
                    else (401, {"message": "Bad credentials"})
                )
            case "GET", "/meta":
                return 200, {"verifiable_password_authentication": False}
        return 404, {"message": "Not Found"}


_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


class S3(Service):
    """Buckets that a policy makes public; a bucket's blocks are None while it has no configuration of them."""

    content_type = "application/xml"

    def __init__(self, **buckets: dict[str, bool] | None) -> None:
        super().__init__()
        self.buckets = buckets

    def answer(self, asked: Asked) -> Answer:
        name = asked.path.strip("/")
        signed = asked.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
        if name not in self.buckets:
            return _error(404, "NoSuchBucket")
        blocks = self.buckets[name]
        if "publicAccessBlock" not in asked.query:
            if not signed and blocks and blocks["RestrictPublicBuckets"]:
                return _error(403, "AccessDenied")
            return (
                200,
                f"{_XML}<ListBucketResult><Name>{name}</Name><KeyCount>0</KeyCount></ListBucketResult>".encode(),
            )
        if not signed:
            return _error(403, "AccessDenied")
        match asked.method:
            case "GET" if blocks is None:
                return _error(404, "NoSuchPublicAccessBlockConfiguration")
            case "GET":
                inside = "".join(f"<{each}>{str(blocks[each]).lower()}</{each}>" for each in _BLOCKS)  # type: ignore[index]
                return (
                    200,
                    f"{_XML}<PublicAccessBlockConfiguration>{inside}</PublicAccessBlockConfiguration>".encode(),
                )
            case "PUT":
                text = asked.body.decode()
                if "<PublicAccessBlockConfiguration" not in text:
                    return _error(400, "MalformedXML")
                self.buckets[name] = {each: f"<{each}>true</{each}>" in text for each in _BLOCKS}
                return 200, b""
            case "DELETE":
                self.buckets[name] = None
                return 204, None
        return _error(405, "MethodNotAllowed")


def _error(status: int, code: str) -> Answer:
    return status, f"{_XML}<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
