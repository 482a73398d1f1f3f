"""The dossier, now and as it was recorded at an earlier time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.errors import KeyDestroyed, KeyMissing, NotFound, Unreadable
from incident.record.dossier import Dossier, dossier_in, load_dossier, load_dossier_as_of
from incident.record.facts import Certainty, Fact, FrozenText, Interval, Value
from incident.record.incidents import close_incident, log_entry, record_run_measure, state_facts
from incident.store.keyring import Keyring
from incident.store.store import Store
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, make_workspace, open_one, run_sql


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def a_fact(field: str, value: Value | None, *, sure: Certainty = Certainty.likely) -> Fact:
    return Fact(field, value, "Ana", "phone", sure, START - timedelta(hours=1))


def say(made: Made, incident: str, *facts: Fact) -> None:
    with made.store.write(incident, kind="facts.set", actor="ana", now=made.clock()) as change:
        state_facts(made.store, change, incident, facts)


def log(
    made: Made, incident: str, text: str, *, action: str | None = None, corrects: str | None = None
) -> str:
    with made.store.write(incident, kind="log.entered", actor="ana", now=made.clock()) as change:
        row = log_entry(
            made.store,
            change,
            incident,
            text,
            at=made.clock(),
            by="Ana",
            action=action,
            evidence=("e1",),
            corrects=corrects,
        )
    return row.id


def close(made: Made, incident: str) -> None:
    with made.store.write(incident, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, incident, reason="over")


def test_the_dossier_as_of_a_time_holds_what_was_recorded_by_then(made: Made) -> None:
    incident = open_one(made, facts=[a_fact("persons", Interval.exactly(10))])
    moments = [made.clock()]
    made.clock.move(hours=1)
    say(made, incident, a_fact("persons", Interval(10, None, 900)))
    moments.append(made.clock())
    made.clock.move(hours=1)
    wrong = log(made, incident, "closed the share", action="contain.disable-endpoint")
    moments.append(made.clock())
    made.clock.move(hours=1)
    log(made, incident, "it stayed open", corrects=wrong)
    close(made, incident)
    moments.append(made.clock())

    seen = [load_dossier_as_of(made.store, incident, moment) for moment in moments]
    assert [dossier.sheet["persons"] for dossier in seen] == [
        Interval.exactly(10),
        *[Interval(10, None, 900)] * 3,
    ]
    assert [len(dossier.measures) for dossier in seen] == [0, 0, 1, 0]
    assert [dossier.state for dossier in seen] == ["open", "open", "open", "closed"]
    assert seen[-1] == load_dossier(made.store, incident)
    between = load_dossier_as_of(made.store, incident, moments[1] + timedelta(minutes=59, seconds=59))
    assert between == seen[1]


def test_before_the_first_record_there_is_nothing(made: Made) -> None:
    made.clock.move(hours=1)
    incident = open_one(made)
    with pytest.raises(NotFound) as caught:
        load_dossier_as_of(made.store, incident, START)
    assert caught.value.next_step is not None
    with pytest.raises(NotFound):
        load_dossier_as_of(made.store, "INC-2026-0009", made.clock())


def test_recorded_order_decides_where_the_clock_was_put_back(made: Made) -> None:
    incident = open_one(made)
    made.clock.move(hours=2)
    say(made, incident, a_fact("persons", Interval.exactly(1)))
    made.clock.move(hours=-1)
    say(made, incident, a_fact("persons", Interval.exactly(2)))
    assert load_dossier_as_of(made.store, incident, START + timedelta(minutes=30)).sheet == {}
    [one, two] = load_dossier_as_of(made.store, incident, made.clock()).history
    assert (one.fact.value, two.fact.value) == (Interval.exactly(1), Interval.exactly(2))


def test_after_destruction_nothing_can_be_read_at_any_time_and_the_error_has_the_date(made: Made) -> None:
    incident = open_one(made)
    made.store.keyring.destroy(incident, now=made.clock())
    for load in (load_dossier, lambda store, id_: load_dossier_as_of(store, id_, made.clock())):
        with pytest.raises(KeyDestroyed, match="2026-11-23"):
            load(made.store, incident)
    run_sql(
        made.store, "UPDATE incident SET state = 'destroyed', destroyed_at = '2026-12-24 00:00:00.000000'"
    )
    for load in (load_dossier, lambda store, id_: load_dossier_as_of(store, id_, made.clock())):
        with pytest.raises(KeyDestroyed, match="2026-12-24"):
            load(made.store, incident)


def test_with_the_key_lost_it_is_lost_and_not_destroyed(made: Made) -> None:
    incident = open_one(made)
    (made.store.keyring.folder / f"{incident}.key").unlink()
    store = Store(made.store.engine, Keyring(made.store.keyring.folder), where="test")
    for load in (load_dossier, lambda store, id_: load_dossier_as_of(store, id_, made.clock())):
        with pytest.raises(KeyMissing) as caught:
            load(store, incident)
        assert not isinstance(caught.value, KeyDestroyed)


def test_a_journal_with_a_body_taken_out_gives_no_dossier_that_looks_whole(made: Made) -> None:
    incident = open_one(made)
    say(made, incident, a_fact("persons", Interval.exactly(1)))
    run_sql(made.store, "DELETE FROM journal_body WHERE chain = :chain AND seq = 2", chain=incident)
    with pytest.raises(Unreadable):
        load_dossier_as_of(made.store, incident, made.clock())


def test_a_change_under_way_sees_what_it_has_written(made: Made) -> None:
    incident = open_one(made)
    with made.store.write(incident, kind="facts.set", actor="ana", now=made.clock()) as change:
        state_facts(made.store, change, incident, [a_fact("persons", Interval.exactly(7))])
        inside = dossier_in(change.session, made.store, incident)
        outside = load_dossier(made.store, incident)
    assert inside.sheet == {"persons": Interval.exactly(7)}
    assert outside.sheet == {}
    assert load_dossier(made.store, incident) == inside


def test_the_log_is_in_the_order_of_what_happened(made: Made) -> None:
    incident = open_one(made)
    late = log(made, incident, "now")
    with made.store.write(incident, kind="log.entered", actor="ana", now=made.clock()) as change:
        early = log_entry(made.store, change, incident, "before", at=START - timedelta(days=1), by="Bo").id
    lines = load_dossier(made.store, incident).log
    assert [line.id for line in lines] == [early, late]
    assert lines[0].recorded_at == lines[1].recorded_at == START
    assert (lines[0].by, lines[0].evidence, lines[1].evidence) == ("Bo", (), ("e1",))


words = st.text("ab中文", min_size=1, max_size=5)
counts = st.integers(0, 10**6)
facts = st.one_of(
    st.builds(lambda low, more: a_fact("persons", Interval(low, None, low + more)), counts, counts),
    st.builds(lambda low: a_fact("records", Interval(low, low, None)), counts),
    st.builds(lambda sure: a_fact("ransomware", True, sure=sure), st.sampled_from(list(Certainty))),
    st.builds(
        lambda at: a_fact("discovered_at", at), st.datetimes(timezones=st.just(START.tzinfo)) | st.none()
    ),
    st.builds(lambda names: a_fact("systems", tuple(names)), st.lists(words, max_size=3, unique=True)),
    st.builds(lambda zh, en: a_fact("cause", FrozenText({"zh-Hans": zh, "en": en})), words, words),
    st.just(a_fact("trend", None)),
)
actions = st.sampled_from([None, "contain.disable-endpoint", "contain.lock-account"])
text = st.text(max_size=20)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.lists(facts, max_size=3)),
        st.tuples(st.just("log"), text, actions),
        st.tuples(st.just("correct"), text, actions, st.integers(0, 9)),
        st.tuples(st.just("measure"), text),
        st.tuples(st.just("wait"), st.integers(0, 5000)),
        st.tuples(st.just("close")),
    ),
    max_size=8,
)


class Playing:
    """Plays operations on one incident and remembers the dossier after each."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.incident = open_one(made, "Leak")
        self.entries: list[str] = []
        self.seen: list[tuple[datetime, Dossier]] = []
        self.remember()

    def remember(self) -> None:
        self.seen.append((self.made.clock(), load_dossier(self.made.store, self.incident)))

    def play(self, operation: Sequence[object]) -> bool:
        """Play one; false when it ended the incident."""
        self.made.clock.move(seconds=1)
        match operation:
            case ("say", list() as said):
                say(self.made, self.incident, *said)
            case ("log", str() as words, action):
                assert action is None or isinstance(action, str)
                self.entries.append(log(self.made, self.incident, words, action=action))
            case ("correct", str() as words, action, int() as which) if self.entries:
                assert action is None or isinstance(action, str)
                corrected = self.entries.pop(which % len(self.entries))
                self.entries.append(log(self.made, self.incident, words, action=action, corrects=corrected))
            case ("measure", str() as words):
                with self.made.store.write(
                    self.incident, kind="run", actor="engine", now=self.made.clock()
                ) as change:
                    record_run_measure(
                        self.made.store,
                        change,
                        self.incident,
                        action="contain.lock-account",
                        text=words,
                        by="run",
                        at=self.made.clock(),
                    )
            case ("wait", int() as seconds):
                self.made.clock.move(seconds=seconds)
            case ("close",):
                close(self.made, self.incident)
        self.remember()
        return operation[0] != "close"


_shared: list[Made] = []


@settings(max_examples=40)
@given(played=operations)
def test_at_every_moment_the_journal_tells_what_the_rows_told_then(
    tmp_path_factory: pytest.TempPathFactory, played: list[Sequence[object]]
) -> None:
    if not _shared:
        _shared.append(make_workspace(tmp_path_factory.mktemp("dossier")))
    playing = Playing(_shared[0])
    for operation in played:
        if not playing.play(operation):
            break
    for moment, dossier in playing.seen:
        assert load_dossier_as_of(playing.made.store, playing.incident, moment) == dossier
    assert load_dossier_as_of(playing.made.store, playing.incident, playing.made.clock()) == load_dossier(
        playing.made.store, playing.incident
    )
