"""Releasing the notice: what two people signed is what leaves, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from incident.errors import BadInput, Refused, TocsinError
from incident.notice.release import (
    FrozenNotice,
    NoticeState,
    Version,
    latest_version,
    must_be_released,
    version_by_id,
    with_promises,
)
from incident.record.decisions import Verdict, decide
from incident.record.dossier import dossier_in
from incident.record.incidents import close_incident
from incident.record.operators import Role, retire_operator
from incident.response.housework import House
from incident.settings import read_settings
from incident.store.tables import Decision, Notice
from incident.workspace import shipped
from tests.support.breaches import Breach, make_breach
from tests.support.workspaces import all_rows, make_signer, run_sql


def rows(breach: Breach) -> list[tuple[int, str]]:
    with breach.made.store.read() as session:
        return [(row.version, row.state) for row in session.exec(select(Notice).order_by("version")).all()]


def latest(breach: Breach) -> Version:
    with breach.made.store.read() as session:
        version = latest_version(session, breach.made.store, breach.id)
    assert version is not None
    return version


def ask_released(breach: Breach, *, drill: bool = False) -> Version:
    with breach.made.store.read() as session:
        version, _ = must_be_released(
            session, breach.made.store, breach.id, settings=breach.made.settings, drill=drill
        )
    return version


def test_two_signatures_of_two_people_over_the_same_content_release_it(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    first = breach.sign("bo")
    assert (first.released, first.signed_by, first.needed) == (False, ("bo",), 2)
    with pytest.raises(Refused, match="not released"):
        ask_released(breach)
    second = breach.sign("cy")
    assert (second.released, second.signed_by) == (True, ("bo", "cy"))
    assert second.version.row.content_hash == first.version.row.content_hash
    assert ask_released(breach).row.id == second.version.row.id
    assert rows(breach) == [(1, NoticeState.RELEASED)]


def test_time_alone_does_not_make_a_new_version(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    breach.made.clock.move(hours=3)
    assert breach.sign("cy").released


def test_a_changed_fact_makes_a_new_version_and_voids_the_first_signature(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    breach.state(persons=4711)
    result = breach.sign("cy")
    assert (result.released, result.signed_by, result.version.row.version) == (False, ("cy",), 2)
    assert rows(breach) == [(1, NoticeState.SUPERSEDED), (2, NoticeState.DRAFT)]
    assert breach.sign("bo").released


def test_a_further_measure_makes_a_new_version(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    breach.log("turned the key", "contain.revoke-credential")
    assert breach.sign("cy").signed_by == ("cy",)


def test_a_log_entry_that_is_no_measure_leaves_the_signature(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    breach.log("looked at the logs")
    assert breach.sign("cy").released


def test_changed_settings_make_a_new_version(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    file = breach.made.workspace.settings_file
    file.write_text(file.read_text(encoding="utf-8").replace("020-10000", "020-99999"), encoding="utf-8")
    house = House(breach.made.workspace, read_settings(file), breach.made.store, breach.made.clock)
    changed = Breach(breach.made, house, breach.id, breach.signers)
    assert changed.sign("cy").signed_by == ("cy",)


def test_a_changed_template_makes_a_new_version(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    own = breach.made.workspace.root / "templates/notice/en/email.txt.j2"
    own.parent.mkdir(parents=True)
    shipped_text = (shipped("templates") / "notice/email.txt.j2").read_text(encoding="utf-8")
    own.write_text(f"{shipped_text}\nOne more line.\n", encoding="utf-8")
    assert breach.sign("cy").signed_by == ("cy",)
    shutil.rmtree(own.parent)
    assert breach.sign("bo").version.row.version == 3


def test_a_renamed_kind_of_data_makes_a_new_version_because_each_message_names_it(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    frozen = latest_after_signing(breach).frozen
    document = frozen.as_document()
    document["category_titles"]["location"]["en"] = "somewhere"
    assert FrozenNotice.from_document(document).hash != frozen.hash


def latest_after_signing(breach: Breach) -> Version:
    breach.sign("bo")
    return latest(breach)


def test_one_person_cannot_sign_twice(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    before = all_rows(breach.made.store)
    with pytest.raises(Refused, match="signed this version already"):
        breach.sign("bo")
    assert all_rows(breach.made.store) == before


def test_what_is_released_is_not_signed_again(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.release()
    with pytest.raises(Refused, match="released already"):
        breach.sign("di")


def test_what_the_record_says_after_the_release_waits_for_a_release_of_its_own(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.release()
    breach.state(persons=4711)
    assert breach.sign("di").version.row.version == 2
    assert rows(breach) == [(1, NoticeState.RELEASED), (2, NoticeState.DRAFT)]
    assert ask_released(breach).row.version == 1
    breach.sign("bo")
    assert ask_released(breach).row.version == 2


def test_a_missing_element_is_refused_with_the_article_that_asks_for_it(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, measures=())
    before = all_rows(breach.made.store)
    with pytest.raises(Refused, match="may not be released") as refused:
        breach.sign("bo")
    assert "cn-pipl-57" in refused.value.what or "PIPL" in refused.value.what
    assert all_rows(breach.made.store) == before
    breach.log("closed it", "contain.disable-endpoint")
    assert breach.sign("bo").signed_by == ("bo",)


def test_an_element_that_only_was_promised_is_asked_for_too() -> None:
    required = {"cause": (("cn-pipl-57", "57(1)"),)}
    joined = with_promises(required, ["remedies", "cause"])
    assert list(joined["remedies"]) == [("promise", "promises.notice_contains")]
    assert len(joined["cause"]) == 2
    with pytest.raises(BadInput, match="no element"):
        with_promises({}, ["apologies"])


def test_a_rejected_version_is_not_released_by_anybody(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    reject(breach, "cy")
    with pytest.raises(Refused, match="cy rejected this version"):
        breach.sign("di")
    breach.state(persons=4711)
    assert breach.sign("di").signed_by == ("di",)


def test_a_rejection_after_the_release_stops_the_sending(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.release()
    ask_released(breach)
    reject(breach, "di")
    with pytest.raises(Refused, match="di rejected version 1"):
        ask_released(breach)


def reject(breach: Breach, name: str) -> None:
    store = breach.made.store
    subject = latest(breach).subject
    with store.write(breach.id, kind="notice.rejected", actor=name, now=breach.made.clock()) as change:
        decide(
            change,
            breach.id,
            subject,
            Verdict.REJECTED,
            signer=breach.signers[name],
            needs=Role.APPROVER,
            decision_id=store.new_id(),
        )


def test_who_names_another_version_signs_nothing(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    shown = breach.sign("bo").version.row.content_hash
    breach.state(persons=4711)
    with pytest.raises(Refused, match="changed since that version"):
        breach.sign("cy", expected_hash=shown[:12])
    current = breach.sign("cy").version.row.content_hash
    assert breach.sign("bo", expected_hash=current[:12]).released


@pytest.mark.parametrize("short", ["", "a", "1234567"])
def test_a_hash_too_short_to_name_a_version_is_no_confirmation(tmp_path: Path, short: str) -> None:
    breach = make_breach(tmp_path)
    with pytest.raises(BadInput, match="too short"):
        breach.sign("bo", expected_hash=short)


def test_who_is_no_approver_cannot_sign(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.signers["ed"] = make_signer(breach.made, "ed", roles=[Role.RESPONDER])
    with pytest.raises(Refused, match="ed is no approver"):
        breach.sign("ed")


def test_a_retired_operator_signs_nothing_more_but_the_past_signature_holds(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    breach.made.clock.move(minutes=1)
    retire_operator(breach.made.store, "bo", actor="system", now=breach.made.clock())
    assert breach.sign("cy").released
    breach.state(persons=4711)
    with pytest.raises(Refused, match="retired"):
        breach.sign("bo")


def test_a_closed_incident_releases_nothing(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    store = breach.made.store
    with store.write(breach.id, kind="incident.closed", actor="ana", now=breach.made.clock()) as change:
        close_incident(change, breach.id, reason="over")
    with pytest.raises(Refused, match="closed"):
        breach.sign("bo")


def test_simulated_operators_release_in_a_drill_and_nowhere_else(tmp_path: Path) -> None:
    live, drill = tmp_path / "live", tmp_path / "drill"
    live.mkdir()
    drill.mkdir()
    real = make_breach(live, simulated=True)
    real.sign("bo")
    assert not real.sign("cy").released
    with pytest.raises(Refused, match="not released"):
        ask_released(real)
    rehearsed = make_breach(drill, born="drill", simulated=True)
    rehearsed.sign("bo", drill=True)
    assert rehearsed.sign("cy", drill=True).released
    ask_released(rehearsed, drill=True)
    with pytest.raises(Refused, match="0 valid signatures"):
        ask_released(rehearsed, drill=False)


# -- forged and edited rows: verified again at the time of sending ----------------------------------


FORGERIES = {
    "a state set by hand": "UPDATE notice SET state = 'released'",
    "a signature copied to another person": (
        "INSERT INTO decision SELECT 'f', incident_id, (SELECT id FROM operator WHERE name = 'cy'), subject_kind,"
        " subject_id, subject_hash, verdict, decided_at, statement, signature, sealed FROM decision"
    ),
    "the same decision twice": (
        "INSERT INTO decision SELECT 'f', incident_id, operator_id, subject_kind, subject_id, subject_hash,"
        " verdict, decided_at, statement, signature, sealed FROM decision"
    ),
    "a statement with another name": (
        "INSERT INTO decision SELECT 'f', incident_id, (SELECT id FROM operator WHERE name = 'cy'), subject_kind,"
        " subject_id, subject_hash, verdict, decided_at, replace(statement, 'bo', 'cy'), signature, sealed"
        " FROM decision"
    ),
}


@pytest.mark.parametrize("statement", FORGERIES.values(), ids=FORGERIES.keys())
def test_one_signature_and_a_forged_row_send_nothing(tmp_path: Path, statement: str) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    run_sql(breach.made.store, statement)
    run_sql(breach.made.store, "UPDATE notice SET state = 'released'")
    with pytest.raises(Refused, match="1 valid signatures of 2"):
        ask_released(breach)


def test_a_rejection_turned_into_an_approval_is_no_signature(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    reject(breach, "cy")
    run_sql(breach.made.store, "UPDATE decision SET verdict = 'approved'")
    run_sql(breach.made.store, "UPDATE notice SET state = 'released'")
    with pytest.raises(Refused, match="1 valid signatures of 2"):
        ask_released(breach)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE notice SET content_hash = 'f' || substr(content_hash, 2) || 'x'",
        "UPDATE notice SET sealed = x'54310000'",
        "UPDATE notice SET sealed = (SELECT sealed FROM incident)",
    ],
)
def test_an_edited_version_is_not_opened(tmp_path: Path, edit: str) -> None:
    breach = make_breach(tmp_path)
    breach.release()
    run_sql(breach.made.store, edit)
    with pytest.raises(TocsinError, match=r"not the one that was signed|does not open"):
        ask_released(breach)


def test_content_sealed_anew_under_the_old_hash_is_not_the_one_that_was_signed(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    version = breach.release().version
    document: dict[str, Any] = version.frozen.as_document()
    document["emails"]["en"]["text"] += "Please send us your password."
    reseal(breach, document)
    with pytest.raises(Refused, match="not the one that was signed"):
        ask_released(breach)


def test_content_sealed_anew_with_its_own_hash_has_no_signatures(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    version = breach.release().version
    document = version.frozen.as_document()
    document["emails"]["en"]["text"] += "Please send us your password."
    reseal(breach, document)
    run_sql(
        breach.made.store, "UPDATE notice SET content_hash = :h", h=FrozenNotice.from_document(document).hash
    )
    with pytest.raises(Refused, match="0 valid signatures of 2"):
        ask_released(breach)


def reseal(breach: Breach, document: dict[str, Any]) -> None:
    from incident.store.change import seal_row

    store = breach.made.store
    with store.transaction() as session:
        row = session.exec(select(Notice)).one()
        seal_row(row, document, key=store.key(breach.id))
        session.add(row)


def test_a_stored_version_is_the_frozen_value_again(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    version = breach.release().version
    with breach.made.store.read() as session:
        again = version_by_id(session, breach.made.store, version.row.id)
    assert again.frozen.hash == version.frozen.hash == again.row.content_hash


def test_the_decision_names_exactly_the_content(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    version = breach.sign("bo").version
    with breach.made.store.read() as session:
        decision = session.exec(select(Decision)).one()
        dossier = dossier_in(session, breach.made.store, breach.id)
    assert decision.subject_hash == version.row.content_hash in decision.statement
    assert dossier.id == breach.id and "read and checked" not in decision.statement
