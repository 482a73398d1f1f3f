"""What was taken over from a VERIS record, and what a person must be asked because VERIS has no place for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.record.veris import VerisRecord

_WORDS = {
    "en": {
        "taken": "VERIS {version}, record {record}: {count} facts taken over; its own words stand in the log (incident timeline {id})",
        "newer": "warning: this version is newer than what is known here; a word may have a new meaning",
        "gaps": "what VERIS cannot say, and a person must:",
        "gap": "  {field}: {question} [{who}] ({why})",
        "role": "  and whether we decide about the data ourselves or handle it for somebody else: VERIS has no word for it",
        "next": "answer with: incident answer {id} FIELD VALUE; what decides a duty is also in: incident ask {id}",
    },
    "zh-Hans": {
        "taken": "VERIS {version} 记录 {record}：已收录 {count} 项事实，原文内容见日志（incident timeline {id}）",
        "newer": "警告：该版本比本工具已知的版本新，个别词语的含义可能已有变化",
        "gaps": "以下内容 VERIS 无法说明，须向有关人员询问：",
        "gap": "  {field}：{question}[{who}]（{why}）",
        "role": "  另须查明：我们是自行决定处理目的的个人信息处理者，还是受他人委托处理，VERIS 对此没有记载",
        "next": "回答：incident answer {id} FIELD VALUE；影响义务的问题另见 incident ask {id}",
    },
}


def tell_of_veris(desk: Desk, incident_id: str, veris: VerisRecord) -> None:
    """Say it on stderr, in the desk's language."""
    from incident.record.facts import field_named

    words, language = _WORDS[desk.language], desk.language
    desk.say(
        words["taken"].format(
            version=veris.version, record=veris.incident_id, count=len(veris.facts), id=incident_id
        )
    )
    if veris.newer:
        desk.say(words["newer"])
    desk.say(words["gaps"])
    for gap in veris.gaps:
        field = field_named(gap.field)
        desk.say(
            words["gap"].format(
                field=gap.field, question=field.question[language], who=field.who, why=gap.why[language]
            )
        )
    desk.say(words["role"])
    desk.say(words["next"].format(id=incident_id))


def veris_as_document(veris: VerisRecord) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "version": veris.version,
        "record": veris.incident_id,
        "facts": [fact.field for fact in veris.facts],
        "cannot_say": [gap.field for gap in veris.gaps],
    }
