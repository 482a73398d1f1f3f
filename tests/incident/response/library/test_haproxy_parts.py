"""The parts that close and throttle an endpoint, on a real HAProxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.response.events import Outcome
from tests.support.hosts import Host
from tests.support.parts import on_host
from tests.support.web import FOLDER, get, haproxy, hurry

CLOSE, THROTTLE = "disable-endpoint-haproxy", "throttle-api-haproxy"
ENDPOINT = "/api/v2.1/search"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path / "host") as host:
        yield host


def kept(host: Host, name: str) -> str:
    """What HAProxy reads at its next start."""
    return (host.root / FOLDER.lstrip("/") / name).read_text()


def test_an_endpoint_answers_before_not_after_and_again_once_undone_and_others_go_on(host: Host) -> None:
    haproxy(host)
    carry = on_host(host, CLOSE)
    assert get(host, ENDPOINT) == 200
    other = carry(__endpoint__="/other")
    done = carry(__endpoint__=ENDPOINT)
    assert (done.outcome, done.asked) == (Outcome.succeeded, [])
    assert (done.measures(), done.verified()) == (["contain.disable-endpoint"], {"close"})
    ways = ("", "?q=x", "/more", ";jsessionid=1")
    spellings = ("/api//v2.1/./search", "/x/../api/v2.1/search", "/api/v2.1/%73earch", "/API/v2.1/Search")
    for way in (*(ENDPOINT + each for each in ways), *spellings):
        assert get(host, way) == 503, way
    for way in ("/", "/api/v2.1/searches", "/api/v2x1/search", "/more/api/v2.1/search"):
        assert get(host, way) == 200, way
    host.run("sh", "-c", "kill -TERM $(pidof haproxy); while pidof haproxy >/dev/null; do sleep 0.02; done")
    haproxy(host)
    assert get(host, ENDPOINT) == 503
    again = carry(__endpoint__=f"{ENDPOINT}/")
    assert (again.outcome, again.values["__was_disabled__"]) == (Outcome.succeeded, "true")
    assert all(each.success for each in again.undo())
    assert get(host, ENDPOINT) == 503
    assert all(each.success for each in [*done.undo(), *done.undo()])
    assert (get(host, ENDPOINT), get(host, "/other")) == (200, 503)
    assert all(each.success for each in other.undo())
    assert (get(host, "/other"), kept(host, "disabled.lst")) == (200, "")


def test_calls_beyond_the_limit_are_refused_after_it_and_answered_before_and_once_undone(host: Host) -> None:
    haproxy(host)
    carry = on_host(host, THROTTLE)
    assert set(hurry(host, ENDPOINT)) == {200}
    first = carry(__endpoint__=ENDPOINT)
    assert (first.outcome, first.asked) == (Outcome.succeeded, [])
    assert (first.measures(), first.verified()) == (["contain.throttle-api"], {"throttle"})
    assert 429 in hurry(host, ENDPOINT)
    assert set(hurry(host, "/api/other")) == {200}
    before = kept(host, "throttled.map")
    second = carry(__endpoint__=ENDPOINT, __requests_per_minute__="60")
    assert (second.outcome, second.values["__rate_before__"]) == (Outcome.succeeded, "6")
    assert kept(host, "throttled.map") == before.replace(" 6\n", " 60\n")
    assert all(each.success for each in second.undo())
    assert kept(host, "throttled.map") == before
    assert all(each.success for each in [*first.undo(), *first.undo()])
    assert set(hurry(host, ENDPOINT)) == {200}
    assert kept(host, "throttled.map") == ""


@pytest.mark.parametrize("part", [CLOSE, THROTTLE])
def test_a_proxy_that_is_not_prepared_is_a_question_and_nothing_stays_behind(part: str, host: Host) -> None:
    haproxy(host, prepared=False)
    done = on_host(host, part)(__endpoint__=ENDPOINT)
    assert (done.outcome, done.asked, done.measures()) == (Outcome.failed, ["by-hand"], [])
    assert kept(host, "disabled.lst") + kept(host, "throttled.map") == ""


@pytest.mark.parametrize("part", [CLOSE, THROTTLE])
def test_a_hostile_endpoint_does_nothing_but_fail(part: str, host: Host) -> None:
    haproxy(host)
    carry = on_host(host, part)
    for hostile in (
        "/x; shutdown frontend web",
        "/a\nshutdown frontend web\n$(touch /run/owned)",
        "/",
        "/a.*|.*",
    ):
        assert carry(__endpoint__=hostile).outcome is Outcome.failed, hostile
    assert get(host, ENDPOINT) == 200
    assert kept(host, "disabled.lst") + kept(host, "throttled.map") == ""
    assert not (host.root / "run" / "owned").exists()
