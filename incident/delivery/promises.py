"""Promises: where personal data may go, checked before a campaign opens (rule 12 of the design)."""

from __future__ import annotations

from incident.errors import Refused
from incident.settings import MailSettings, Promises, Relation, RelaySettings, Settings


def must_keep_promises(settings: Settings) -> None:
    """Raises `Refused` when a mail relay would break a promise of the organisation, or is not declared."""
    _must_be_declared(settings.mail)
    for where, relay in settings.mail.relays.items():
        _must_keep_promises(relay, settings.promises, where)


def _must_keep_promises(mail: RelaySettings, promises: Promises, where: str) -> None:
    if promises.keep_in and mail.country not in promises.keep_in:
        raise Refused(
            f"the mail relay is in {mail.country!r}, but the organisation promised to keep personal data in "
            f"{', '.join(promises.keep_in)}",
            where=f"{where}.country",
            next_step="use a relay in the country; sending abroad needs consent or an assessment (PIPL Art. 38, 39)",
        )
    if promises.share_with_no_one and mail.relation is Relation.PROVIDED:
        raise Refused(
            f"{mail.processor} is a third party, but the organisation promised to share personal data with no one",
            where=f"{where}.relation",
            next_step="use the organisation's own relay or a processor under contract (PIPL Art. 21)",
        )
    if mail.relation is Relation.ENTRUSTED and not mail.contract:
        raise Refused(
            f"{mail.processor} acts for the organisation, but no contract is named",
            where=f"{where}.contract",
            next_step='name the processing contract (PIPL Art. 21), for example contract = "DPA-2026-014"',
        )


def _must_be_declared(mail: MailSettings) -> None:
    missing = [] if mail.from_address else ["mail.from_address"]
    for where, relay in mail.relays.items():
        missing += [
            f"{where}.{name}" for name in ("host", "processor", "country") if not getattr(relay, name)
        ]
    if missing:
        raise Refused(
            f"the mail relay is not declared: {', '.join(missing)}",
            where="incident.toml",
            next_step="say who sends, where mail is handed over, who processes it and in which country",
        )
