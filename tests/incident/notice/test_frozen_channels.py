"""The small channels are part of what is signed, and versions from before there were any keep their hash."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import rfc8785

from incident.notice.channels import Sms
from incident.notice.frozen import FrozenNotice
from incident.notice.release import NoticeState, must_be_released
from incident.record.decisions import Subject, Verdict, decide
from incident.record.operators import Role
from incident.store.tables import Notice
from incident.workspace import shipped
from tests.support.breaches import make_breach
from tests.support.old_calls import OLD_CALL


def test_what_two_people_sign_holds_every_small_channel_in_every_language(tmp_path: Path) -> None:
    frozen = make_breach(tmp_path).release().version.frozen
    assert set(frozen.channels) == {"zh-Hans", "en"}
    assert all(len(list(each.there())) == 5 for each in frozen.channels.values())
    assert FrozenNotice.from_document(frozen.as_document()) == frozen


def test_another_word_on_a_small_channel_is_another_version(tmp_path: Path) -> None:
    frozen = make_breach(tmp_path).release().version.frozen
    other = replace(frozen.channels["en"], sms=Sms("Other words"))
    assert replace(frozen, channels={**frozen.channels, "en": other}).hash != frozen.hash


def test_a_changed_template_of_a_small_channel_voids_a_signature(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    own = breach.made.workspace.root / "templates/notice/en/sms.txt.j2"
    own.parent.mkdir(parents=True)
    own.write_text((shipped("templates") / "notice/en/sms.txt.j2").read_text("utf-8") + " More.", "utf-8")
    assert breach.sign("cy").signed_by == ("cy",)


def test_a_version_from_before_there_were_small_channels_keeps_its_hash(tmp_path: Path) -> None:
    document = make_breach(tmp_path).release().version.frozen.as_document()
    del document["channels"]
    old = FrozenNotice.from_document(document)
    assert old.channels == {}
    assert old.as_document() == document
    assert old.hash == hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def test_a_version_released_before_calls_were_dialogues_is_still_the_released_one(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    document = breach.sign("bo").version.frozen.as_document()
    for channels in document["channels"].values():
        channels["voice"] = OLD_CALL
    old_hash = hashlib.sha256(rfc8785.dumps(document)).hexdigest()
    made = breach.made
    with made.store.write(breach.id, kind="notice.released", actor="bo", now=made.clock()) as change:
        row = Notice(
            id="of-then", incident_id=breach.id, version=2, state=NoticeState.RELEASED, content_hash=old_hash,
            created_at=change.at, created_by="bo", released_at=change.at,
        )  # fmt: skip
        change.put(row, document)
        for name in ("bo", "cy"):
            decide(
                change, breach.id, Subject("notice", row.id, old_hash), Verdict.APPROVED,
                signer=breach.signers[name], needs=Role.APPROVER, decision_id=made.store.new_id(),
            )  # fmt: skip
    with made.store.read() as session:
        version, signed = must_be_released(
            session, made.store, breach.id, settings=made.settings, drill=False
        )
    assert (version.row.id, version.frozen.hash, len(signed)) == ("of-then", old_hash, 2)
    assert version.frozen.as_document() == document
    for language in ("zh-Hans", "en"):
        voice = version.frozen.channels[language].voice
        assert voice is not None and not voice.can_be_asked
