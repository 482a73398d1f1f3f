"""Damage to campaigns, batches, deliveries and attempts."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

LEDGER = [
    Damage(
        "one more is expected",
        ("UPDATE campaign SET expected = expected + 1 WHERE incident_id = '{sending}'",),
        {"ledger.sum": "14 expected, but 9 + 2 + 2 counted", **CHANGED},
    ),
    Damage(
        "a counter lies, and the sum does not show it",
        (
            "UPDATE batch SET accepted = accepted + 1, pending = pending - 1 WHERE incident_id = '{sending}' AND seq = 3",
        ),
        {"ledger.batches": "its rows"},
    ),
    Damage(
        "a batch is gone with all that belongs to it",
        (
            "DELETE FROM attempt WHERE incident_id = '{told}'",
            "DELETE FROM receipt WHERE incident_id = '{told}'",
            "DELETE FROM delivery WHERE incident_id = '{told}'",
            "DELETE FROM job WHERE kind = 'delivery.batch' AND incident_id = '{told}'",
            "DELETE FROM batch WHERE incident_id = '{told}'",
        ),
        {
            "ledger.sum": "3 expected, but 0 + 0 + 0 counted",
            "ledger.people": "no principal delivery",
            "journal.chains": "ledger changed",
        },
    ),
    Damage(
        "a batch has another number",
        ("UPDATE batch SET seq = 7 WHERE incident_id = '{sending}' AND seq = 4",),
        {"ledger.batches": "batch 4 is missing"},
    ),
    Damage(
        "an update is a first notice",
        ("UPDATE delivery SET update_of = NULL WHERE incident_id = '{updated}' AND update_of IS NOT NULL",),
        {"journal.chains": "ledger changed"},
    ),
    Damage(
        "a first notice is an update",
        (
            "UPDATE delivery SET update_of = (SELECT min(update_of) FROM delivery)"
            " WHERE incident_id = '{updated}' AND state = 'accepted' AND update_of IS NULL"
            " AND person_id NOT IN (SELECT person_id FROM delivery WHERE update_of IS NOT NULL)",
        ),
        {"ledger.updates": "not an update", "journal.chains": "ledger changed"},
    ),
    Damage(
        "an update of a notice that nobody sent",
        ("UPDATE delivery SET update_of = 'none' WHERE {one}",),
        {"ledger.states": "no other campaign sent"},
    ),
    Damage(
        "somebody waits for an earlier version that there never was",
        ("UPDATE delivery SET waits = true WHERE incident_id = '{sending}' AND state = 'pending'",),
        {"ledger.states": "waits for an earlier one, and there is none"},
    ),
    Damage(
        "somebody is left to a later version that there never was",
        (
            "UPDATE delivery SET reason = 'replaced' WHERE incident_id = '{sending}' AND state = 'unreachable'"
            " AND reason = 'refused'",
        ),
        {"ledger.states": "and there is none"},
    ),
    Damage(
        "a message takes along more than there are",
        ("UPDATE delivery SET shared = shared + 1 WHERE incident_id = '{updated}' AND shared > 0",),
        {"ledger.shared": "takes along others than it says", "journal.chains": "ledger changed"},
    ),
    Damage(
        "a receipt is about nothing",
        ("UPDATE receipt SET delivery_id = 'none' WHERE kind = 'delayed'",),
        {"ledger.receipts": "its delivery does not exist", "journal.chains": "ledger changed"},
    ),
    Damage(
        "what a receipt proved is forgotten",
        ("UPDATE delivery SET rank = 0 WHERE incident_id = '{told}' AND rank > 0",),
        {
            "ledger.receipts": "not the highest of its receipts",
            "ledger.batches": "its rows",
            "journal.chains": "ledger changed",
        },
    ),
    Damage(
        "a complaint is not counted",
        ("UPDATE batch SET complaints = 0 WHERE incident_id = '{told}'",),
        {"ledger.receipts": "other complaints than there are"},
    ),
    Damage(
        "a batch is another incident's",
        ("UPDATE batch SET incident_id = '{told}' WHERE incident_id = '{sending}' AND seq = 4",),
        {"ledger.batches": "different incidents", "ledger.people": "different incidents"},
    ),
    Damage(
        "somebody was put on the list",
        (
            "INSERT INTO person (id, incident_id, reference_mac, version, language, has_email,"
            " minor, guardian_reachable, import_id, sealed)"
            " SELECT 'more', incident_id, :noise, version, language, has_email,"
            " minor, guardian_reachable, import_id, sealed FROM person WHERE NOT minor"
            " AND id = (SELECT min(id) FROM person WHERE incident_id = '{sending}' AND NOT minor)",
        ),
        {
            "ledger.people": "person more: no principal delivery",
            "people.counted": "13 were added by imports, 14 are listed",
            "people.read": "person more",
            "journal.chains": "the list of people changed",
        },
    ),
    Damage(
        "somebody was taken off the list",
        ("DELETE FROM person WHERE id = (SELECT person_id FROM delivery WHERE {one})",),
        {
            "ledger.people": "are nobody's",
            "people.counted": "13 were added by imports, 12 are listed",
            "journal.chains": "the list of people changed",
        },
    ),
    Damage(
        "a delivery and its tries are gone",
        ("DELETE FROM attempt WHERE {its_try}", "DELETE FROM delivery WHERE {one}"),
        {"ledger.batches": "its rows", "ledger.people": "no principal delivery"},
    ),
    Damage(
        "a person counts by no delivery",
        ("UPDATE delivery SET principal = false WHERE {one}",),
        {"ledger.batches": "its rows", "ledger.people": "not one principal delivery"},
    ),
    Damage(
        "a person counts twice",
        ("UPDATE delivery SET principal = true WHERE NOT principal",),
        {"ledger.batches": "its rows", "ledger.people": "not one principal delivery"},
    ),
    Damage(
        "a delivery lies in another batch than the person's other one",
        (
            "UPDATE delivery SET batch_id = (SELECT min(id) FROM batch WHERE incident_id = '{sending}' AND id <> batch_id)"
            " WHERE NOT principal",
        ),
        {"ledger.people": "several batches"},
    ),
    Damage(
        "a delivery is of another person",
        (
            "UPDATE delivery SET person_id = (SELECT max(person_id) FROM delivery WHERE {sent}) WHERE id ="
            " (SELECT min(id) FROM delivery WHERE {sent} AND person_id <>"
            " (SELECT max(person_id) FROM delivery WHERE {sent}))",
        ),
        {"ledger.people": "not one principal delivery"},
    ),
    Damage(
        "a delivery is of another incident's person",
        (
            "UPDATE delivery SET person_id = (SELECT min(id) FROM person WHERE incident_id = '{told}') WHERE {one}",
        ),
        {"ledger.people": "list of another incident"},
    ),
    Damage(
        "a delivery is of another version of the person",
        ("UPDATE delivery SET person_version = 2 WHERE {one}",),
        {"ledger.people": "another version"},
    ),
    Damage(
        "a delivery goes to a guardian whom a grown-up has not",
        ("UPDATE delivery SET addressee = 'guardian' WHERE {one}",),
        {"ledger.people": "not the one of a minor"},
    ),
    Damage(
        "a minor is told without the guardian",
        (
            "UPDATE delivery SET addressee = 'person' WHERE addressee = 'guardian' AND attempts = 1"
            " AND person_id IN (SELECT id FROM person WHERE NOT has_email)",
        ),
        {
            "ledger.people": "has an address, or has none",
            "people.read": "told through the guardian",
            "journal.chains": "ledger changed",
        },
    ),
    Damage(
        "a delivery goes over a channel that is none",
        ("UPDATE delivery SET channel = 'fax' WHERE {one}",),
        {"ledger.people": "no channel", "ledger.states": "do not show it"},
    ),
    Damage(
        "a delivery's batch is none",
        ("UPDATE delivery SET batch_id = 'none' WHERE {one}",),
        {"ledger.batches": "its rows", "ledger.people": "its batch does not exist"},
    ),
    Damage(
        "somebody who was told is dead",
        ("UPDATE person SET deceased = true WHERE id = (SELECT person_id FROM delivery WHERE {one})",),
        {"ledger.people": "the dead, and who is to be told by hand", "people.read": "shown as dead"},
    ),
    Damage(
        "somebody who was told is an organisation",
        ("UPDATE person SET organisation = true WHERE id = (SELECT person_id FROM delivery WHERE {one})",),
        {"people.read": "as an organisation"},
    ),
    Damage(
        "somebody without an address is to be told by hand",
        (
            "UPDATE delivery SET reason = 'safe_contact' WHERE incident_id = '{sending}' AND reason = 'no_email'",
        ),
        {"ledger.people": "nobody else is taken for one"},
    ),
    Damage(
        "somebody without an address is taken for an organisation",
        (
            "UPDATE delivery SET reason = 'organisation' WHERE incident_id = '{sending}' AND reason = 'no_email'",
        ),
        {"ledger.people": "nobody else is taken for one"},
    ),
    Damage(
        "somebody without an address is taken for dead",
        ("UPDATE delivery SET reason = 'deceased' WHERE incident_id = '{sending}' AND reason = 'no_email'",),
        {"ledger.people": "nobody else is taken for one"},
    ),
    Damage(
        "somebody without a number has a recycled one",
        (
            "UPDATE delivery SET reason = 'recycled_number' WHERE incident_id = '{sending}' AND reason = 'no_email'",
        ),
        {"ledger.people": "of which no day is known"},
    ),
    Damage(
        "the list says that somebody has no address",
        ("UPDATE person SET has_email = false WHERE id = (SELECT person_id FROM delivery WHERE {one})",),
        {"ledger.people": "has an address, or has none", "people.read": "other than what is sealed"},
    ),
]

ATTEMPTS = [
    Damage(
        "a delivery counts one try more",
        ("UPDATE delivery SET attempts = 2 WHERE {one}",),
        {"ledger.attempts": "not as many attempts", "ledger.states": "when its last attempt ended"},
    ),
    Damage(
        "a try is gone",
        ("DELETE FROM attempt WHERE {its_try}",),
        {"ledger.attempts": "not as many attempts", "ledger.states": "do not show it"},
    ),
    Damage(
        "a try has another number",
        ("UPDATE attempt SET n = 5 WHERE {its_try}",),
        {
            "ledger.attempts": "without a gap",
            "ledger.states": "last attempt",
            "sealed.opens": "/5: what is sealed",
        },
    ),
    Damage(
        "a try is of no delivery",
        ("UPDATE attempt SET delivery_id = 'none' WHERE {its_try}",),
        {
            "ledger.attempts": "its delivery does not exist",
            "ledger.states": "",
            "sealed.opens": "attempt none/1",
        },
    ),
    Damage(
        "a try was made by an attempt of the job that never was",
        ("UPDATE attempt SET job_attempt = 0 WHERE {its_try}",),
        {"ledger.attempts": "that never was"},
    ),
    Damage(
        "strikes are counted that nobody gave",
        ("UPDATE delivery SET strikes = 3 WHERE {one}",),
        {"ledger.attempts": "strikes"},
    ),
    Damage(
        "who is being sent to counts as waiting",
        (
            "UPDATE delivery SET state = 'pending', next_at = NULL WHERE state = 'sending' AND channel = 'email'",
        ),
        {"ledger.open": "is not being sent, and an attempt has no outcome"},
    ),
    Damage(
        "the open try has an outcome and the delivery does not know",
        ("UPDATE attempt SET outcome_at = intent_at, result = 'not_sent' WHERE outcome_at IS NULL",),
        {"ledger.open": "without one open attempt"},
    ),
    Damage(
        "an outcome was taken out",
        ("UPDATE attempt SET outcome_at = NULL WHERE {its_try}",),
        {"ledger.open": "has no outcome", "ledger.states": "says what came of it"},
    ),
    Damage(
        "two tries are open",
        (
            "UPDATE attempt SET outcome_at = NULL, result = NULL, stage = NULL, code = NULL, enhanced = NULL, peer = NULL,"
            " tls = NULL, sealed = :noise WHERE n = 1 AND delivery_id = (SELECT id FROM delivery WHERE state = 'sending')",
        ),
        {
            "ledger.attempts": "strikes",
            "ledger.open": "without one open attempt",
            "sealed.opens": "/1: what is sealed",
        },
    ),
    Damage(
        "what was accepted counts as unreachable",
        ("UPDATE delivery SET state = 'unreachable', reason = 'refused' WHERE {one}",),
        {"ledger.batches": "its rows", "ledger.states": "do not show it as often"},
    ),
    Damage(
        "somebody is unreachable without a reason",
        ("UPDATE delivery SET reason = '' WHERE reason = 'refused'",),
        {"ledger.states": "without a known reason"},
    ),
    Damage(
        "somebody is unreachable for a reason that is not theirs",
        ("UPDATE delivery SET reason = 'no_email' WHERE reason = 'refused'",),
        {"ledger.people": "has an address", "ledger.states": "that its last attempt does not give"},
    ),
    Damage(
        "an accepted delivery has a reason",
        ("UPDATE delivery SET reason = 'blocked' WHERE {one}",),
        {"ledger.states": "has a reason"},
    ),
    Damage(
        "a delivery was settled at another time",
        ("UPDATE delivery SET settled_at = '2026-11-23 09:00:01.000000' WHERE {one}",),
        {"ledger.states": "not when its last attempt ended"},
    ),
    Damage(
        "a settled delivery says no time",
        ("UPDATE delivery SET settled_at = NULL WHERE {one}",),
        {"ledger.states": "not when its last attempt ended"},
    ),
    Damage(
        "a settled delivery waits",
        ("UPDATE delivery SET next_at = settled_at WHERE {one}",),
        {"ledger.states": "settled and waits"},
    ),
    Damage(
        "a waiting delivery says when it was settled",
        ("UPDATE delivery SET settled_at = next_at WHERE state = 'pending'",),
        {"ledger.states": "in progress and has a time"},
    ),
    Damage(
        "a delivery waits for a year",
        ("UPDATE delivery SET next_at = '2027-11-23 09:00:00.000000' WHERE state = 'pending'",),
        {"ledger.states": "longer after its last try"},
    ),
    Damage(
        "a delivery is in a state that is none",
        ("UPDATE delivery SET state = 'lost' WHERE {one}",),
        {"ledger.batches": "its rows", "ledger.states": "its state is unknown"},
    ),
    Damage(
        "an accepted message was refused",
        ("UPDATE attempt SET result = 'permanent' WHERE {its_try}",),
        {"ledger.attempts": "strikes", "ledger.states": "do not show it"},
    ),
    Damage(
        "a refused message was accepted",
        ("UPDATE attempt SET result = 'accepted' WHERE result = 'permanent'",),
        {"ledger.attempts": "strikes", "ledger.states": "do not show it"},
    ),
    Damage(
        "a try ended at a stage that is none",
        ("UPDATE attempt SET stage = 'moon' WHERE {its_try}",),
        {"ledger.states": "a stage that is unknown"},
    ),
    Damage(
        "a try that was accepted has no stage",
        ("UPDATE attempt SET stage = NULL WHERE {its_try}",),
        {"ledger.states": "do not go together"},
    ),
    Damage(
        "a code leads elsewhere",
        ("UPDATE delivery SET code_mac = :noise WHERE {one}",),
        {"ledger.codes": "does not lead to it"},
    ),
]
