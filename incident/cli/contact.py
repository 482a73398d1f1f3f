"""`incident contact`: whom to call outside, and when that was last tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.duties.recipients import Names
    from incident.record.contacts import ContactKind, ContactLine

GROUP = "contact"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Contacts of authorities, police, headquarters, providers: add, list, checked, remove.",
    no_args_is_help=True,
)
KEY = typer.Argument(
    ..., metavar="KEY", help="For an authority, the recipient as the regimes name it: provincial_cac."
)
_KINDS = {
    "en": {
        "authority": "authority",
        "police": "police",
        "headquarters": "headquarters",
        "provider": "provider",
        "other": "other",
    },
    "zh-Hans": {
        "authority": "主管部门",
        "police": "公安机关",
        "headquarters": "上级单位",
        "provider": "服务商",
        "other": "其他",
    },
}
_WORDS = {
    "en": {
        "missing": "no contact is kept for {key} ({name})",
        "old": "{day}, {days} days ago",
        "checked": "{key} was tried today: {name}",
        "removed": "{key} is off the list: {name}",
        "added": "{key} ({kind}): {name}",
        "unknown": "warning: no regime reports to {key}; known are {known}",
    },
    "zh-Hans": {
        "missing": "尚未登记联系方式：{name}（{key}）",
        "old": "{day}（{days} 天前）",
        "checked": "今天已核实：{name}（{key}）",
        "removed": "已移除：{name}（{key}）",
        "added": "已登记（{kind}）：{name}（{key}）",
        "unknown": "提示：没有任何法规以 {key} 为报告对象；已知的报告对象：{known}",
    },
}


@app.command("add", help="Keep a contact; it counts as checked today.")
def add(
    ctx: typer.Context,
    key: str = KEY,
    kind: str = typer.Option(..., "--kind", help="authority, police, headquarters, provider or other."),
    name: str = typer.Option(..., "--name", help="The office or company."),
    person: str = typer.Option("", "--person", help="Who answers there."),
    phone: str = typer.Option("", "--phone", help="A number, also a hotline such as 12387."),
    email: str = typer.Option("", "--email", help="An e-mail address."),
    url: str = typer.Option("", "--url", help="A portal."),
    address: str = typer.Option("", "--address", help="A postal address."),
    note: str = typer.Option("", "--note", help="When they answer, what to say first."),
) -> None:
    from incident.record.contacts import RECIPIENTS, WaysToReach, add_contact

    desk = desk_of(ctx)
    wanted = _kind(kind)
    ways = WaysToReach(name, person, phone, email, url, address, note)
    # A part of a country (us-ca) dials as the country does.
    countries = [country[:2] for country in desk.settings.scope.countries if country != "eu"]
    line = add_contact(desk.store, wanted, key, ways, countries=countries, actor=desk.actor, now=desk.now())
    if wanted in RECIPIENTS:
        _warn_of_unknown_key(desk, key)
    _print(desk, line, "added")


@app.command("list", help="List the contacts, and the recipients of reports that have none.")
def list_(
    ctx: typer.Context,
    kind: str | None = typer.Option(None, "--kind", help="Only those of a kind."),
) -> None:
    from incident.duties.recipients import without_contact
    from incident.record.contacts import RECIPIENTS, list_contacts

    desk = desk_of(ctx)
    wanted = _kind(kind) if kind is not None else None
    with desk.store.read() as session:
        lines = list_contacts(session, desk.store)
    missing: Names = {}
    if wanted is None or wanted in RECIPIENTS:
        missing = without_contact(_recipients(desk, in_scope=True), lines)
    shown = [line for line in lines if wanted is None or line.kind is wanted]
    words, kinds = _WORDS[desk.language], _KINDS[desk.language]
    rows = [
        (
            line.key,
            kinds[line.kind],
            line.name,
            line.person,
            line.phone,
            line.email,
            line.url or line.address,
            line.note,
            _checked(desk, line),
        )
        for line in shown
    ]
    document = {
        "contacts": [_document(desk, line) for line in shown],
        "without_contact": [{"key": key, "name": dict(name)} for key, name in missing.items()],
    }
    columns = ("Key", "Kind", "Name", "Person", "Phone", "Email", "Where", "Note", "Checked")
    desk.table(columns, rows, document=document)
    if not desk.as_json:
        for key, name in missing.items():
            typer.echo(words["missing"].format(key=key, name=name[desk.language]))


@app.command("checked", help="Say that a contact was tried today and is right.")
def checked(ctx: typer.Context, key: str = KEY) -> None:
    from incident.record.contacts import contact_checked

    desk = desk_of(ctx)
    _print(desk, contact_checked(desk.store, key, actor=desk.actor, now=desk.now()), "checked")


@app.command("remove", help="Take a contact off the list.")
def remove(ctx: typer.Context, key: str = KEY) -> None:
    from incident.record.contacts import remove_contact

    desk = desk_of(ctx)
    _print(desk, remove_contact(desk.store, key, actor=desk.actor, now=desk.now()), "removed")


def _kind(text: str) -> ContactKind:
    from incident.record.contacts import ContactKind

    try:
        return ContactKind(text)
    except ValueError:
        raise WrongUsage(
            f"{text!r} is no kind of contact", where="--kind", next_step=f"use {', '.join(ContactKind)}"
        ) from None


def _recipients(desk: Desk, *, in_scope: bool) -> Names:
    from incident.duties.evaluating import rules_in_use
    from incident.duties.recipients import recipients_of_reports

    scope = desk.settings.scope
    countries = scope.countries if in_scope else None
    return recipients_of_reports(
        rules_in_use(desk.paths).regimes, countries=countries, organisations=scope.organisation or ()
    )


def _warn_of_unknown_key(desk: Desk, key: str) -> None:
    known = _recipients(desk, in_scope=False)
    if key not in known:
        desk.say(_WORDS[desk.language]["unknown"].format(key=key, known=", ".join(known)))


def _checked(desk: Desk, line: ContactLine) -> str:
    day = f"{line.checked_at.astimezone(desk.zone):%Y-%m-%d}"
    if not line.is_older_than(desk.settings.contacts.max_age_days, now=desk.now()):
        return day
    return _WORDS[desk.language]["old"].format(day=day, days=(desk.now() - line.checked_at).days)


def _document(desk: Desk, line: ContactLine) -> dict[str, Any]:
    old = line.is_older_than(desk.settings.contacts.max_age_days, now=desk.now())
    content = {name: value for name, value in vars(line).items() if name not in ("id", "label")}
    return {**content, "old": old}


def _print(desk: Desk, line: ContactLine, what: str) -> None:
    kind = _KINDS[desk.language][line.kind]
    said = _WORDS[desk.language][what].format(key=line.key, name=line.name, kind=kind)
    desk.lines([said], document=_document(desk, line))
