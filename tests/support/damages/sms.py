"""Damage to what is sent by SMS: who is told by it, their attempts and parts, and what came back."""

from __future__ import annotations

from tests.support.damages.base import Damage

_TOLD = [
    Damage(
        "an SMS goes to a guardian",
        ("UPDATE delivery SET addressee = 'guardian' WHERE id = ({sms_taken})",),
        {"ledger.people": "an SMS to who is not told by one"},
    ),
    Damage(
        "an SMS goes out beside another message",
        ("UPDATE delivery SET principal = false WHERE id = ({sms_taken})",),
        {"ledger.batches": "its rows", "ledger.people": "an SMS to who is not told by one"},
    ),
    Damage(
        "an SMS takes somebody along",
        ("UPDATE delivery SET shared = 1 WHERE id = ({sms_taken})",),
        {"ledger.people": "an SMS to who is not told by one", "ledger.shared": "takes along others"},
    ),
    Damage(
        "an SMS is that of another",
        ("UPDATE delivery SET leader_id = ({sms_delivered}) WHERE id = ({sms_taken})",),
        {
            "ledger.attempts": "has its message from another",
            "ledger.people": "an SMS to who is not told by one",
            "ledger.receipts": "not the highest",
            "ledger.shared": "its rank",
        },
    ),
    Damage(
        "who is told by SMS is a minor",
        (
            "UPDATE person SET minor = true WHERE id = (SELECT person_id FROM delivery WHERE id = ({sms_taken}))",
        ),
        {"ledger.people": "an SMS to a minor", "people.read": ""},
    ),
    Damage(
        "somebody went on to the same means",
        ("UPDATE delivery SET tried_before = 'sms:refused' WHERE {sms_moved}",),
        {"ledger.people": "from a means to the same one", "ledger.states": "tried by this means"},
    ),
    Damage(
        "somebody went on to the same means, and over another one in between",
        ("UPDATE delivery SET tried_before = 'email:refused,sms:refused' WHERE {sms_moved}",),
        {"ledger.people": "from a means to the same one"},
    ),
    Damage(
        "somebody went on from a means by which nothing was tried",
        ("UPDATE delivery SET tried_before = 'email:refused' WHERE id = ({sms_taken})",),
        {"ledger.batches": "its rows", "ledger.states": "by which nothing was tried"},
    ),
    Damage(
        "it is forgotten that somebody went on",
        ("UPDATE delivery SET tried_before = '' WHERE {sms_moved}",),
        {"ledger.batches": "its rows", "ledger.states": "does not know that it was tried by this means"},
    ),
    Damage(
        "somebody went on from a means that is none",
        ("UPDATE delivery SET tried_before = 'fax:lost' WHERE {sms_moved}",),
        {"ledger.states": "does not know that it was tried by this means"},
    ),
    Damage(
        "a batch counts one more who went on",
        ("UPDATE batch SET moved_on = moved_on + 1 WHERE incident_id = '{texted}' AND seq = 1",),
        {"ledger.batches": "its rows"},
    ),
]

_TRIED = [
    Damage(
        "a try was made over a channel that is none",
        ("UPDATE attempt SET channel = 'fax' WHERE delivery_id = ({sms_taken})",),
        {
            "ledger.attempts": "no channel that is known",
            "ledger.parts": "its attempt is no SMS",
            "ledger.states": "do not show it",
        },
    ),
    Damage(
        "a try by SMS was one by e-mail",
        ("UPDATE attempt SET channel = 'email' WHERE delivery_id = ({sms_taken})",),
        {"ledger.parts": "its attempt is no SMS", "ledger.states": "do not go together"},
    ),
    Damage(
        "a try by e-mail was one by SMS",
        ("UPDATE attempt SET channel = 'sms' WHERE {its_try}",),
        {"ledger.parts": "an SMS without parts", "ledger.states": "does not know that it was tried"},
    ),
    Damage(
        "an SMS was accepted with the code of a refusal",
        ("UPDATE attempt SET code = 88 WHERE delivery_id = ({sms_taken})",),
        {"ledger.states": "do not go together"},
    ),
    Damage(
        "an SMS was accepted without a code",
        ("UPDATE attempt SET code = NULL WHERE delivery_id = ({sms_taken})",),
        {"ledger.states": "do not go together"},
    ),
    Damage(
        "an SMS was accepted before it was answered",
        ("UPDATE attempt SET stage = 'submitted' WHERE delivery_id = ({sms_taken})",),
        {"ledger.states": "do not go together"},
    ),
    Damage(
        "an SMS was refused with the code of a yes",
        ("UPDATE attempt SET code = 0 WHERE {sms_refused}",),
        {"ledger.states": "do not go together"},
    ),
    Damage(
        "an SMS was refused by a relay",
        ("UPDATE attempt SET stage = 'rcpt' WHERE {sms_refused}",),
        {"ledger.states": "do not go together"},
    ),
    Damage(
        "an SMS is in doubt that was answered",
        ("UPDATE attempt SET stage = 'reply' WHERE {sms_in_doubt}",),
        {"ledger.parts": "cannot have given it one", "ledger.states": "do not go together"},
    ),
    Damage(
        "an SMS broke off after all of it was with the centre",
        ("UPDATE attempt SET stage = 'submitted' WHERE {sms_broken_off}",),
        {"ledger.states": "do not go together"},
    ),
]

_PARTS = [
    Damage(
        "a part is of no try",
        ("UPDATE message_part SET n = 7 WHERE delivery_id = ({sms_taken}) AND part = 3",),
        {"ledger.parts": "its attempt does not exist"},
    ),
    Damage(
        "the parts of a message are gone",
        ("DELETE FROM message_part WHERE delivery_id = ({sms_taken})",),
        {"ledger.parts": "an SMS without parts"},
    ),
    Damage(
        "a part in the middle is gone",
        ("DELETE FROM message_part WHERE delivery_id = ({sms_taken}) AND part = 2",),
        {"ledger.parts": "without a gap"},
    ),
    Damage(
        "the first part has no number",
        ("UPDATE message_part SET part = 0 WHERE delivery_id = ({sms_taken}) AND part = 1",),
        {"ledger.parts": "without a gap"},
    ),
    Damage(
        "a part is another incident's",
        ("UPDATE message_part SET incident_id = '{told}' WHERE delivery_id = ({sms_taken}) AND part = 2",),
        {"ledger.parts": "different incidents"},
    ),
    Damage(
        "a part went to another centre",
        ("UPDATE message_part SET centre = 'other:2775' WHERE delivery_id = ({sms_taken}) AND part = 2",),
        {"ledger.parts": "several centres"},
    ),
    Damage(
        "a whole message went to another centre",
        ("UPDATE message_part SET centre = 'other:2775' WHERE delivery_id = ({sms_taken})",),
        {"ledger.parts": "another centre than its attempt says"},
    ),
    Damage(
        "a part is in a state that is none",
        ("UPDATE message_part SET state = 'lost' WHERE delivery_id = ({sms_taken}) AND part = 2",),
        {"ledger.parts": "its state is unknown"},
    ),
    *(
        Damage(
            f"the part of an SMS that {what} has an id",
            (
                "UPDATE message_part SET ref = 'abc' WHERE part = 3 AND EXISTS (SELECT 1 FROM attempt"
                " WHERE delivery_id = message_part.delivery_id AND n = message_part.n AND {which})".replace(
                    "{which}", which
                ),
            ),
            {"ledger.parts": "cannot have given it one"},
        )
        for what, which in (
            ("was refused", "{sms_refused}"),
            ("broke off", "{sms_broken_off}"),
            ("is in doubt", "{sms_in_doubt}"),
        )
    ),
    Damage(
        "something was said of a part that was never taken",
        (
            "UPDATE message_part SET state = 'enroute' WHERE part = 3 AND EXISTS (SELECT 1 FROM attempt"
            " WHERE delivery_id = message_part.delivery_id AND n = message_part.n AND {sms_refused})",
        ),
        {"ledger.parts": "has no id and is not in doubt"},
    ),
    Damage(
        "all parts arrived and no receipt says so",
        ("UPDATE message_part SET state = 'delivered' WHERE delivery_id = ({sms_taken})",),
        {"ledger.parts": "all of its message arrived"},
    ),
    Damage(
        "a part did not arrive and no receipt says so",
        ("UPDATE message_part SET state = 'rejected' WHERE delivery_id = ({sms_taken}) AND part = 1",),
        {"ledger.parts": "it did not arrive"},
    ),
]

_CAME_BACK = [
    Damage(
        "a part of what was delivered did not arrive yet",
        ("UPDATE message_part SET state = NULL WHERE delivery_id = ({sms_delivered}) AND part = 2",),
        {"ledger.parts": "what none of its parts shows"},
    ),
    Damage(
        "a receipt says that an SMS failed, and no part did",
        ("UPDATE message_part SET state = NULL WHERE delivery_id = ({sms_returned})",),
        {"ledger.parts": "what none of its parts shows"},
    ),
    Damage(
        "a receipt came over a means that was never used",
        # Not by e-mail: whoever it is may have been written to before.
        ("UPDATE receipt SET channel = 'phone' WHERE delivery_id = ({sms_returned})",),
        {"ledger.parts": "it did not arrive", "ledger.receipts": "never sent over its channel"},
    ),
    Damage(
        "what came back of an e-mail came over SMS",
        ("UPDATE receipt SET channel = 'sms' WHERE kind = 'complaint'",),
        {
            "ledger.parts": "what none of its parts shows",
            "ledger.receipts": "never sent over its channel",
            "journal.chains": "ledger changed",
        },
    ),
]

_OWED = [
    Damage(
        "the job of people who are told by SMS is gone",
        ("DELETE FROM job WHERE {sms_job}",),
        {"progress.owned": "it has no job"},
    ),
    Damage(
        "the job of people who are told by SMS is over",
        ("UPDATE job SET state = 'done', beat_at = 0 WHERE {sms_job}",),
        {"progress.owned": "its job is done"},
    ),
    Damage(
        "the job of people who are told by SMS sends e-mail",
        ("UPDATE job SET kind = 'delivery.batch', key = key || 'x' WHERE {sms_job}",),
        {"progress.owned": "it has no job", "jobs.known": "does not exist"},
    ),
    Damage(
        "the job of SMS sleeps for longer than its people wait",
        ("UPDATE job SET beat_at = 0, next_at = asked_at + 5000 WHERE {sms_job}",),
        {"progress.next": "seconds longer than its people wait"},
    ),
]

SMS = [*_TOLD, *_TRIED, *_PARTS, *_CAME_BACK, *_OWED]
