"""Questions that are decided and notes for counsel, as the commands record them."""

from __future__ import annotations

from incident.record.decisions import Signer, signing_ahead
from incident.record.privileged import NoteLine, add_note, challenge, read_notes, seal_note
from incident.record.resolutions import resolve
from incident.store.tables import PrivilegedNote, Resolution
from tests.support.workspaces import Made


def decide_question(
    made: Made,
    incident_id: str,
    signer: Signer,
    question: str = "Do we take the portal off the net?",
    *,
    choice: str = "yes",
    replaces: str | None = None,
) -> Resolution:
    """Decide a question for the reason that the leak goes on."""
    store, resolution_id = made.store, made.store.new_id()

    def act(signer: Signer) -> Resolution:
        with store.write(incident_id, kind="question.decided", actor=signer.name, now=made.clock()) as change:
            return resolve(
                change,
                store,
                incident_id,
                question=question,
                options=("yes", "no"),
                choice=choice,
                reasons="the leak goes on",
                replaces=replaces,
                signer=signer,
                resolution_id=resolution_id,
            )

    return signing_ahead(signer, act)


def write_note(made: Made, incident_id: str, signer: Signer, text: str) -> PrivilegedNote:
    """Keep a note for counsel."""
    note = seal_note(made.store, incident_id, text, by=signer.name, now=made.clock())
    return signing_ahead(signer, lambda signer: add_note(made.store, note, signer=signer, now=made.clock()))


def notes_read_by(made: Made, incident_id: str, signer: Signer) -> list[NoteLine]:
    """Read the notes for counsel, which is signed and recorded."""
    asked = challenge(made.store, incident_id, by=signer.name)
    return signing_ahead(
        signer, lambda signer: read_notes(made.store, asked, signer=signer, now=made.clock())
    )
