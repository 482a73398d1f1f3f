"""The parts that close and throttle an endpoint, on a real nginx."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from incident.response.events import Outcome
from tests.support.hosts import Host
from tests.support.parts import on_host
from tests.support.web import get, hurry, nginx

CLOSE, THROTTLE = "disable-endpoint-nginx", "throttle-api-nginx"
ENDPOINT = "/api/v2/search"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path / "host") as host:
        yield host


def until(holds: Callable[[], bool]) -> bool:
    """Wait for what nginx does on its own after a reload."""
    end = time.monotonic() + 20
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def ours(host: Host) -> list[str]:
    folder = host.root / "etc/nginx"
    return [each.name for each in [*folder.glob("conf.d/tocsin*"), *folder.glob("tocsin/*.conf")]]


def test_an_endpoint_answers_before_not_after_and_again_once_undone_and_others_go_on(host: Host) -> None:
    nginx(host)
    carry = on_host(host, CLOSE)
    assert get(host, ENDPOINT) == 200
    done = carry(__endpoint__=ENDPOINT)
    assert (done.outcome, done.asked) == (Outcome.succeeded, [])
    assert (done.measures(), done.verified()) == (["contain.disable-endpoint"], {"close"})
    for way in (
        ENDPOINT,
        f"{ENDPOINT}?q=x",
        f"{ENDPOINT}/more",
        "/api//v2/./search",
        "/api/v2/%73earch",
        "/API/v2/Search",
    ):
        assert get(host, way) == 503, way
    assert get(host, f"{ENDPOINT};jsessionid=1") == 503
    for other in ("/", "/api/v2/searches", "/api/v2", "/apixv2/search"):
        assert get(host, other) == 200, other
    again = carry(__endpoint__=f"{ENDPOINT}/")
    assert (again.outcome, again.values["__was_disabled__"]) == (Outcome.succeeded, "true")
    assert all(each.success for each in again.undo())
    assert get(host, ENDPOINT) == 503
    assert all(each.success for each in [*done.undo(), *done.undo()])
    assert until(lambda: get(host, ENDPOINT) == 200)
    assert ours(host) == []


def test_a_server_that_is_not_prepared_is_a_question_and_nothing_stays_behind(host: Host) -> None:
    nginx(host, prepared=False)
    done = on_host(host, CLOSE)(__endpoint__=ENDPOINT)
    assert (done.outcome, done.asked, done.measures()) == (Outcome.failed, ["by-hand"], [])
    assert "no server of nginx includes" in done.said["close"][-1].detail
    assert (get(host, ENDPOINT), ours(host)) == (200, [])


def test_a_configuration_that_nginx_refuses_is_taken_back(host: Host) -> None:
    nginx(host)
    (host.root / "etc/nginx/conf.d/broken.conf").write_text("nonsense;\n")
    assert on_host(host, CLOSE)(__endpoint__=ENDPOINT).outcome is Outcome.failed
    assert on_host(host, THROTTLE)(__endpoint__=ENDPOINT).outcome is Outcome.failed
    assert ours(host) == []


def test_quick_calls_are_refused_after_it_and_answered_before_and_once_undone(host: Host) -> None:
    nginx(host)
    carry = on_host(host, THROTTLE)
    assert set(hurry(host, ENDPOINT)) == {200}
    first = carry(__endpoint__=ENDPOINT)
    assert (first.outcome, first.asked) == (Outcome.succeeded, [])
    assert (first.measures(), first.verified()) == (["contain.throttle-api"], {"throttle"})
    assert 503 in hurry(host, ENDPOINT)
    assert set(hurry(host, "/api/v2/other")) == {200}
    second = carry(__endpoint__=ENDPOINT, __requests_per_minute__="60")
    assert (second.outcome, second.values["__rate_before__"]) == (Outcome.succeeded, "6")
    [file] = [each for each in (host.root / "etc/nginx/conf.d").glob("tocsin-*")]
    assert "rate=60r/m" in file.read_text()
    assert all(each.success for each in second.undo())
    assert "rate=6r/m" in file.read_text() and "60" not in file.read_text().replace(
        file.stem.split("-")[-1], ""
    )
    assert all(each.success for each in [*first.undo(), *first.undo()])
    assert until(lambda: set(hurry(host, ENDPOINT)) == {200})
    assert ours(host) == []


def test_two_endpoints_are_throttled_each_on_its_own(host: Host) -> None:
    nginx(host)
    carry = on_host(host, THROTTLE)
    one, two = carry(__endpoint__=ENDPOINT), carry(__endpoint__="/api/v2/bills")
    assert (one.outcome, two.outcome) == (Outcome.succeeded, Outcome.succeeded)
    assert all(each.success for each in one.undo())
    assert until(lambda: set(hurry(host, ENDPOINT)) == {200})
    assert 503 in hurry(host, "/api/v2/bills")


@pytest.mark.parametrize("part", [CLOSE, THROTTLE])
def test_a_hostile_endpoint_does_nothing_but_fail(part: str, host: Host) -> None:
    nginx(host)
    carry = on_host(host, part)
    for hostile in (
        '/x") { return 200; } location / { root /;',
        "/a\n}}\n$(touch /run/owned)",
        "/a/../b",
        "/",
    ):
        assert carry(__endpoint__=hostile).outcome is Outcome.failed, hostile
    assert ours(host) == []
    assert get(host, ENDPOINT) == 200
    assert not (host.root / "run" / "owned").exists()


def test_the_check_goes_to_no_file_and_its_address_is_never_read_as_a_command(host: Host) -> None:
    nginx(host)
    carry = on_host(host, CLOSE)
    for hostile in ("file:///etc/passwd#", "http://127.0.0.1/$(touch%20/run/owned)';touch${IFS}/run/owned;'"):
        assert carry(__endpoint__=ENDPOINT, __web_url__=hostile).verified() == set()
    assert not (host.root / "run" / "owned").exists()
