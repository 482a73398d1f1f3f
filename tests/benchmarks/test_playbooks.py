"""The benchmark of playbooks: none of its runs is lost, and what the sink counted is what the ledger says."""

from __future__ import annotations

import json
import urllib.request

import pytest

from benchmarks import playbooks
from benchmarks.http_sink import http_sink
from benchmarks.measure import CommandFailed


def test_a_small_round_loses_nothing_and_names_its_peer() -> None:
    result = playbooks.run(runs=3)
    assert {line.who for line in result.lines} == {"sqlite", "soarca_published"}
    assert set(result.ratios) == {"soarca_published"}
    assert "none lost; 12 calls arrived, each once" in result.notes[0]
    json.dumps(result.as_document())


def test_a_figure_is_refused_where_sink_and_ledger_do_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbooks, "STEPS", 1)
    made = playbooks._playbook

    def one_more(port: int) -> list[str]:
        monkeypatch.setattr(playbooks, "STEPS", 2)
        lines = list(made(port))
        monkeypatch.setattr(playbooks, "STEPS", 1)
        return lines

    monkeypatch.setattr(playbooks, "_playbook", one_more)
    with pytest.raises(CommandFailed, match="the sink counted 4"):
        playbooks.run(runs=1)


def test_the_sink_tells_a_call_that_came_twice_from_two_calls() -> None:
    with http_sink() as sink:
        for key in ("a", "a", "b"):
            request = urllib.request.Request(
                f"http://127.0.0.1:{sink.port}/1", b"{}", {"Idempotency-Key": key}, method="POST"
            )
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - loopback
        assert sink.counted() == (3, 2)
