"""A moment of the store: whoever looks sees the same, whatever others write, and nothing can be written into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.errors import Refused
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.moment import one_moment
from incident.store.tables import Incident
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace, open_one


def test_what_others_write_meanwhile_is_not_seen(tmp_path: Path, store_on: PostgresServer | None) -> None:
    made = make_workspace(tmp_path, on=store_on)
    writer = made.another()
    with one_moment(made.store) as moment:
        before = moment.entries(WORKSPACE_CHAIN)
        incident_id = open_one(writer)
        assert moment.entries(WORKSPACE_CHAIN) == before
        assert moment.chains() == [WORKSPACE_CHAIN]
        with moment.read() as session, moment.read() as again:
            assert session is again
            assert session.get(Incident, incident_id) is None
    assert len(made.store.entries(WORKSPACE_CHAIN)) > len(before)
    assert made.store.chains() == [WORKSPACE_CHAIN, incident_id]


def test_nothing_can_be_written_into_a_moment(tmp_path: Path) -> None:
    made = make_workspace(tmp_path)
    with one_moment(made.store) as moment:
        with pytest.raises(Refused, match="not changed"), moment.transaction():
            pass
        with (
            pytest.raises(Refused, match="not changed"),
            moment.write(WORKSPACE_CHAIN, kind="x", actor="ana", now=made.clock()),
        ):
            pass
    assert [entry.kind for entry in made.store.entries(WORKSPACE_CHAIN)] == ["workspace.born"]
