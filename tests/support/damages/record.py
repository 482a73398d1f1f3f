"""Damage to the record: people, notices, duties, the journal, and what is sealed."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

PEOPLE = [
    Damage(
        "an import added one more",
        ("UPDATE people_import SET added = added + 1 WHERE incident_id = '{told}'",),
        {"people.counted": "4 were added by imports, 3 are listed", **CHANGED},
    ),
    Damage(
        "a row that was kept aside is gone",
        ("DELETE FROM people_problem WHERE incident_id = '{told}'",),
        {"people.counted": "not as many rows are kept aside"},
    ),
    Damage(
        "a person comes from no import",
        (
            "UPDATE person SET import_id = 'none' WHERE id = (SELECT min(id) FROM person WHERE incident_id = '{told}')",
        ),
        {"people.counted": "no import of its incident"},
    ),
    Damage(
        "two have one reference",
        (
            "DROP INDEX ix_person_reference_mac",
            "UPDATE person SET reference_mac = (SELECT reference_mac FROM person WHERE incident_id = '{told}' LIMIT 1)"
            " WHERE incident_id = '{told}'",
        ),
        {"people.once": "listed twice", "people.read": "found again by their reference"},
    ),
    Damage(
        "a person's language is another",
        ("UPDATE person SET language = 'fr' WHERE incident_id = '{told}'",),
        {"people.read": "other than what is sealed"},
    ),
    Damage(
        "a grown-up is shown as a minor",
        ("UPDATE person SET minor = true WHERE incident_id = '{told}'",),
        {"people.read": "shown as a minor"},
    ),
    Damage(
        "a note on safe contact is shown that is none",
        ("UPDATE person SET safe_contact = true WHERE incident_id = '{told}'",),
        {"people.read": "otherwise as they are not", "ledger.people": "who is to be told by hand"},
    ),
    Damage(
        "a day is shown since which a number is held, and none is known",
        ("UPDATE person SET number_dated = true WHERE incident_id = '{told}'",),
        {"people.read": "otherwise as they are not"},
    ),
    Damage(
        "what is sealed of a person does not open",
        ("UPDATE person SET sealed = :noise WHERE incident_id = '{told}'",),
        {"people.read": "does not open", "journal.chains": "the list of people changed"},
    ),
]

RELEASED = [
    Damage(
        "versions of the notice have a gap",
        ("UPDATE notice SET version = 2 WHERE incident_id = '{told}'",),
        {"released.versions": "numbered without a gap", **CHANGED},
    ),
    Damage(
        "a report was submitted at no time",
        ("UPDATE report SET submitted_at = NULL WHERE state = 'submitted'",),
        {"released.versions": "submitted without a time", **CHANGED},
    ),
    Damage(
        "a notice that is sent is not released",
        ("UPDATE notice SET state = 'draft', released_at = NULL WHERE incident_id = '{told}'",),
        {"released.signed": "is not released", **CHANGED},
    ),
    Damage(
        "a notice is not the one that was signed",
        ("UPDATE notice SET content_hash = 'f00' WHERE incident_id = '{told}'",),
        {
            "released.frozen": "not the one that its hash names",
            "released.signed": "0 valid signatures",
            **CHANGED,
        },
    ),
    Damage(
        "one of two signatures under a notice is gone",
        (
            "DELETE FROM decision WHERE id = (SELECT min(id) FROM decision WHERE subject_kind = 'notice'"
            " AND incident_id = '{told}')",
        ),
        {"released.signed": "1 valid signatures", "journal.chains": "row missing"},
    ),
    Damage(
        "a campaign sends another incident's notice",
        ("UPDATE notice SET incident_id = '{sending}', version = 2 WHERE incident_id = '{told}'",),
        {
            "released.frozen": "does not open",
            "released.signed": "it sends no notice of its incident",
            "journal.chains": "row missing",
            "sealed.opens": "",
        },
    ),
    Damage(
        "a public page is on no record and no job makes it",
        ("DELETE FROM public_notice WHERE incident_id = '{told}' AND language = 'en'",),
        {"released.published": "(en)", "journal.chains": "row missing"},
    ),
    Damage(
        "a public page is another than the one on record",
        ("UPDATE public_notice SET sha256 = 'f00' WHERE incident_id = '{told}' AND language = 'en'",),
        {"released.pages": "not what was published", **CHANGED},
    ),
]

DUTIES = [
    Damage(
        "a duty is in a state that is none",
        ("UPDATE duty SET state = 'lost' WHERE incident_id = '{told}' AND state = 'met'",),
        {"duties.states": "its state is unknown", "duties.clocks": "the table says lost", **CHANGED},
    ),
    Damage(
        "a duty was met and does not say when",
        ("UPDATE duty SET met_at = NULL WHERE incident_id = '{told}' AND state = 'met'",),
        {"duties.states": "met without a time", **CHANGED},
    ),
    Damage(
        "a duty counts as met and nobody journalled it",
        (
            "UPDATE duty SET state = 'met', met_at = evaluated_at WHERE incident_id = '{told}' AND state = 'owed'",
        ),
        {"duties.journalled": "no entry of the journal", **CHANGED},
    ),
    Damage(
        "a deadline was moved",
        (
            "UPDATE duty SET due_at = '2027-01-01 00:00:00' WHERE incident_id = '{told}' AND due_at IS NOT NULL"
            " AND state = 'owed'",
        ),
        {"duties.clocks": "deadline", **CHANGED},
    ),
    Damage(
        "a duty that stands is gone",
        ("DELETE FROM duty WHERE incident_id = '{told}' AND state = 'owed'",),
        {
            "duties.clocks": "is not in the table",
            "duties.reminded": "its duty does not exist",
            "journal.chains": "row missing",
        },
    ),
    Damage(
        "a duty that stands is not owed",
        ("UPDATE duty SET state = 'not_owed' WHERE incident_id = '{told}' AND state = 'owed'",),
        {"duties.clocks": "the table says not_owed", **CHANGED},
    ),
    Damage(
        "the duties were never evaluated",
        ("DELETE FROM evaluation WHERE incident_id = '{told}'",),
        {"duties.evaluated": "never evaluated", "journal.chains": "row missing"},
    ),
    Damage(
        "a fact was taken out after the evaluation",
        ("DELETE FROM fact WHERE incident_id = '{told}' AND field = 'discovered_at'",),
        {"duties.evaluated": "never evaluated over the facts", "journal.chains": "row missing"},
    ),
    Damage(
        "the waiver that stands has ended",
        ("UPDATE waiver SET ended_at = '2026-11-24 00:00:00' WHERE incident_id = '{waived}' AND number = 2",),
        {"duties.waivers": "no waiver stands", **CHANGED},
    ),
    Damage(
        "a waiver that ended stands again, of another duty",
        (
            "UPDATE waiver SET ended_at = NULL, duty_id = 'eu-gdpr/authority'"
            " WHERE incident_id = '{waived}' AND number = 1",
        ),
        {"duties.waivers": "its duty is not waived", **CHANGED},
    ),
    Damage(
        "a waived duty counts as owed",
        ("UPDATE duty SET state = 'may_be_waived' WHERE incident_id = '{waived}' AND state = 'waived'",),
        {"duties.waivers": "its duty is not waived", **CHANGED},
    ),
    Damage(
        "a duty that is owed counts as waived",
        ("UPDATE duty SET state = 'waived' WHERE incident_id = '{waived}' AND state = 'owed'",),
        {"duties.waivers": "no waiver stands", "duties.clocks": "the table says waived", **CHANGED},
    ),
    Damage(
        "waivers have a gap",
        ("UPDATE waiver SET number = 9 WHERE incident_id = '{waived}' AND number = 2",),
        {"duties.waivers": "not numbered without a gap", **CHANGED},
    ),
    Damage(
        "a duty was waived by somebody else",
        ("UPDATE waiver SET waived_by = 'di' WHERE incident_id = '{waived}' AND number = 2",),
        {"duties.waivers": "no valid signature", **CHANGED},
    ),
    Damage(
        "the signature under a waiver is gone",
        ("DELETE FROM decision WHERE subject_kind = 'waiver' AND incident_id = '{waived}'",),
        {"duties.waivers": "no valid signature", "journal.chains": "row missing"},
    ),
]

REMINDERS = [
    Damage(
        "a reminder is of a duty that is none",
        ("UPDATE duty_reminder SET duty_id = 'no/such' WHERE incident_id = '{told}'",),
        {"duties.reminded": "its duty does not exist", **CHANGED},
    ),
    Damage(
        "a reminder was told at a moment that is none",
        ("UPDATE duty_reminder SET moment = 'soon' WHERE incident_id = '{told}'",),
        {"duties.reminded": "its moment is none", **CHANGED},
    ),
    Damage(
        "nobody is going to remind of the duties that stand",
        ("DELETE FROM job WHERE kind = 'duties' AND state = 'open'",),
        {"duties.watched": "it has no job"},
    ),
]

PROOFS = [
    Damage(
        "an entry was changed",
        ("UPDATE journal_entry SET actor = 'mallory' WHERE chain = '{told}' AND seq = 2",),
        {"journal.chains": "entry 2: changed"},
    ),
    Damage(
        "a body was taken out",
        ("DELETE FROM journal_body WHERE chain = '{told}' AND seq = 2",),
        {"journal.chains": "entry 2: body changed"},
    ),
    Damage(
        "a stored head is another",
        ("UPDATE journal_head SET seq = seq - 1 WHERE chain = '{told}'",),
        {"journal.chains": "stored head"},
    ),
    Damage(
        "the workspace's chain names no head of any other",
        (
            "DELETE FROM journal_body WHERE chain = 'workspace' AND seq IN"
            " (SELECT seq FROM journal_entry WHERE chain = 'workspace' AND kind = 'anchor')",
        ),
        {"journal.chains": "body changed", "journal.anchored": "no head of it is anchored"},
    ),
    Damage(
        "a verdict was turned",
        (
            "UPDATE decision SET verdict = 'rejected' WHERE id = (SELECT min(id) FROM decision"
            " WHERE subject_kind = 'notice' AND incident_id = '{told}')",
        ),
        {"decisions.signatures": "signature", "released.signed": "1 valid signatures", **CHANGED},
    ),
    Damage(
        "an operator is simulated",
        ("UPDATE operator SET simulated = true WHERE name = 'di'",),
        {"decisions.simulated": "operator", **CHANGED},
    ),
]

SEALED = [
    Damage(
        "an incident is destroyed on record and its key is not",
        ("UPDATE incident SET state = 'closed', destroyed_at = NULL WHERE id = '{destroyed}'",),
        {
            "people.counted": "0 are listed",
            "sealed.keys": "its key was destroyed",
            "sealed.blobs": "its file is not there",
        },
    ),
    Damage(
        "an incident counts as destroyed, and nothing of it is",
        (
            "UPDATE incident SET state = 'destroyed', closed_at = opened_at, destroyed_at = opened_at WHERE id = '{told}'",
        ),
        {
            "sealed.keys": "its key is not",
            "sealed.gone": "rows are left",
            "summons.rows": "in an incident that is not open",
            **CHANGED,
        },
    ),
    Damage(
        "something sealed is left of a destroyed incident",
        ("UPDATE fact SET sealed = :noise WHERE incident_id = '{destroyed}'",),
        {"sealed.gone": "fact of"},
    ),
    Damage(
        "nobody signed for the destruction",
        ("DELETE FROM decision WHERE incident_id = '{destroyed}' AND subject_kind = 'destruction'",),
        {"sealed.gone": "no valid signature"},
    ),
    Damage(
        "an incident's days do not fit its state",
        ("UPDATE incident SET closed_at = opened_at WHERE id = '{told}'",),
        {"sealed.gone": "its days do not fit", **CHANGED},
    ),
    Damage(
        "what is sealed lies in another row",
        (
            "UPDATE fact SET sealed = (SELECT other.sealed FROM fact AS other WHERE other.incident_id = '{told}'"
            " AND other.seq = 1) WHERE incident_id = '{told}' AND seq = 2",
        ),
        {"sealed.opens": "fact", **CHANGED},
    ),
    Damage(
        "an alert that just came in does not open",
        ("UPDATE alert SET sealed = :noise WHERE state = 'received'",),
        {"sealed.opens": "alert"},
    ),
    Damage(
        "a row is of an incident that is none",
        ("UPDATE people_problem SET incident_id = 'INC-1999-0001'",),
        {"sealed.belongs": "people_problem of INC-1999-0001"},
    ),
    Damage(
        "evidence lies elsewhere",
        ("UPDATE evidence SET blob = 'elsewhere' WHERE incident_id = '{told}'",),
        {"sealed.blobs": "its file is not there", **CHANGED},
    ),
    Damage(
        "evidence is longer than its file",
        ("UPDATE evidence SET size = 1000000 WHERE incident_id = '{told}'",),
        {"sealed.blobs": "shorter", **CHANGED},
    ),
]
