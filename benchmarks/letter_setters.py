"""One turn of the benchmark `letters`: `python -m benchmarks.letter_setters tocsin|weasyprint N`, figures as JSON.

Both are given the same notice, whose words are those that Tocsin ships, and the same people.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from benchmarks.letters import Set
from incident.notice.content import Contact, DatedLine, NoticeContent
from incident.notice.letter import PersonsLetter, freeze_letter
from incident.settings import Paper
from notifiers.email.message import slot

TEMPLATES = Path(__file__).parents[1] / "templates"
AT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
FONT = "Noto Sans CJK SC"

CONTENT = NoticeContent(
    language="zh-Hans",
    reference="INC-2026-0001",
    subject="个人信息安全事件告知书（示例移动广东公司）",
    written_on="2026年11月23日",
    possible=False,
    effects="泄露",
    what_happened=(
        "有人未经许可，通过我们的一个查询接口读取了用户资料。",
        "事件开始于2026年11月19日。我们于2026年11月21日发现了这一事件。事件已于2026年11月22日得到制止。",
        "据初步统计，此次事件约涉及128,430人。",
    ),
    breach_date="2026年11月19日",
    discovery_date="2026年11月21日",
    data_types=("手机号码", "登录密码", "行踪轨迹"),
    cause="据初步判断，我们的一个系统配置有误。",
    cause_open=False,
    consequences=(
        "手机号码：您可能接到诈骗电话，或者收到含有诈骗链接的短信。",
        "登录密码：他人可能登录您的账号。其他网站使用相同密码的，那些账号也有风险。",
        "行踪轨迹：他人可能掌握您的住处和出行规律，危及您的人身安全。",
    ),
    measures_taken=(
        DatedLine("2026年11月22日", "我们关闭了发生泄露的接口。"),
        DatedLine("2026年11月22日", "我们作废了可能被盗用的密钥和登录凭据。"),
    ),
    planned=None,
    steps_for_person=(
        "登录密码：请立即更换密码。其他网站使用相同密码的，也请一并更换。",
        "行踪轨迹：请关闭不需要的定位授权。请留意周围的异常情况。担心人身安全的，请立即报警。",
        "手机号码：不要把短信验证码告诉任何人。不要点击陌生短信中的链接。有疑问时，请自行拨打官方客服电话核实。",
    ),
    remedies=("我们免费为您更换号码。", "因这件事产生的话费，由我们承担。"),
    contact=Contact(
        organisation="示例移动广东公司",
        phone="020-10086",
        email="privacy@example-mobile.cn",
        website="www.example-mobile.cn",
        address="广州市天河区示例路1号",
        officer_name="李明",
        officer_contact="dpo@example-mobile.cn",
    ),
    not_known=(),
    next_update="2026年12月1日",
    missing=(),
)
_SURNAMES, _GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚"


def somebody(number: int) -> PersonsLetter:
    """A person of the batch, unlike all others."""
    return PersonsLetter(
        reference=f"T7Q4-{number:06d}",
        name=_SURNAMES[number % 20] + _GIVEN[number // 20 % 20] + _GIVEN[number // 400 % 20],
        address=(
            f"广东省广州市天河区示例路{number}号示例花园{number % 30 + 1}座{number % 40 + 1}01室",
            "510000",
        ),
        data_types=CONTENT.data_types[: number % 3 + 1] if CONTENT.data_types else (),
        code=f"K7-{number:06d}",
    )


def prepare_tocsin() -> Callable[[list[PersonsLetter]], tuple[int, int, int]]:
    from incident.notice.letter_printing import print_letters
    from incident.notice.paper_fonts import FontShelf

    shelf = FontShelf(chosen={"zh-Hans": FONT})
    letter = freeze_letter(CONTENT, templates=[TEMPLATES], paper=Paper())

    def make(people: list[PersonsLetter]) -> tuple[int, int, int]:
        batch = print_letters(letter, people, fonts=shelf, printed_at=AT)
        return len(batch.printed), sum(each.pages for each in batch.printed), len(batch.pdf)

    return make


def prepare_weasyprint() -> Callable[[list[PersonsLetter]], tuple[int, int, int]]:
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    fonts = FontConfiguration()
    sheet = CSS(string=_SHEET, font_config=fonts)
    body = _body_of_page()

    def make(people: list[PersonsLetter]) -> tuple[int, int, int]:
        pages = size = 0
        for person in people:
            document = HTML(string=_page_for(person, body)).render(font_config=fonts, stylesheets=[sheet])
            pages += len(document.pages)
            size += len(document.write_pdf())
        return len(people), pages, size

    return make


_SHEET = f"""
@page {{ size: A4; margin: 25mm 20mm 24mm 25mm; @bottom-right {{ content: "第 " counter(page) " 页，共 " counter(pages) " 页";
  font: 8pt '{FONT}'; color: #5a5a5a }} @bottom-left {{ content: string(reference); font: 8pt '{FONT}'; color: #5a5a5a }} }}
body {{ string-set: reference attr(data-reference); margin: 0; font: 11pt/1.75 '{FONT}'; color: #141414 }}
p {{ margin: 0 0 .45em }} h1 {{ font-size: 13pt; margin: 0 0 .8em }} h2 {{ font-size: 12pt; margin: 1em 0 .2em; break-after: avoid }}
ol, ul {{ margin: 0; padding-left: 1.6em }}
.fold {{ position: absolute; left: -21mm; width: 5mm; border-top: .4pt solid #5a5a5a }}
.head {{ position: absolute; top: -10mm; left: 0; font-size: 13pt; font-weight: bold; line-height: 1.2 }}
.window {{ position: absolute; left: 0; top: 23mm; width: 75mm; line-height: 1.3 }} .sender {{ font-size: 7.5pt; color: #5a5a5a }}
.window p {{ margin: 0 }}
.facts {{ position: absolute; left: 85mm; top: 23mm; width: 80mm; font-size: 9pt; line-height: 1.3 }}
.text {{ padding-top: 73mm }}
.box {{ border: .6pt solid #aaa; padding: 3.5mm 4mm; margin: 1em 0; break-inside: avoid }} .box h2 {{ margin-top: 0 }}
.code {{ font: 13pt 'DejaVu Sans Mono' }} .end {{ break-inside: avoid }}
"""


def _page_for(person: PersonsLetter, body: str) -> str:
    values = {
        "person_name": escape(person.name),
        "code": f'<span class="code">{escape(person.code)}</span>',
        "data_types_of_person": f"<b>{escape('、'.join(person.data_types))}</b>",
        "reference": escape(person.reference),
        "addressee": "".join(f"<p>{escape(line)}</p>" for line in (*person.address, f"{person.name}　收")),
    }
    for name, value in values.items():
        body = body.replace(slot(name), value)
    return body


def _body_of_page() -> str:
    """The same words as in the letter of Tocsin, with its marks for what is personal."""
    content, contact = CONTENT, CONTENT.contact
    assert contact is not None
    words = freeze_letter(content, templates=[TEMPLATES], paper=Paper()).words

    def say(name: str, **values: str) -> str:
        text = escape(words[name])
        for mark, value in values.items():
            text = text.replace(slot(mark), escape(value))
        return text

    def part(name: str, lines: tuple[str, ...]) -> str:
        return f"<h2>{say(name)}</h2>" + "".join(f"<p>{escape(line)}</p>" for line in lines)

    steps = "".join(f"<li>{escape(step)}</li>" for step in content.steps_for_person or ())
    measures = "".join(
        f"<li><b>{line.when}</b>{say('colon')}{escape(line.text)}</li>"
        for line in content.measures_taken or ()
    )
    officer = f"{contact.officer_name}{say('clause')}{contact.officer_contact}"
    rows = {"phone": contact.phone, "email": contact.email, "address": contact.address, "officer": officer}
    contacts = "".join(f"<br>{say(f'label_{name}')}{say('colon')}{escape(row)}" for name, row in rows.items())
    return f"""<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8"><title>{say("subject")}</title></head>
<body data-reference="{slot("reference")}"><div class="fold" style="top:80mm"></div><div class="fold" style="top:185mm"></div>
<div class="head">{contact.organisation}</div>
<div class="window"><p class="sender">{contact.organisation} · {contact.address}</p>{slot("addressee")}</div>
<div class="facts"><p>{say("date", dated=content.written_on)}</p><p>{say("number")}</p><p>{say("reference")}</p></div>
<div class="text"><h1>{say("subject")}</h1><p>{say("dear")}</p><p>{say("opening")}</p>
{part("heading_what_happened", content.what_happened or ())}
<h2>{say("heading_your_information")}</h2><p>{say("data")}</p>
{part("heading_consequences", content.consequences or ())}
<h2>{say("heading_steps")}</h2><ol>{steps}</ol>
<h2>{say("heading_measures")}</h2><ul>{measures}</ul>
{part("heading_cause", (content.cause or "",))}
{part("heading_next", (words["next_update"],))}
{part("heading_remedies", content.remedies or ())}
<div class="box"><h2>{say("heading_check")}</h2><p>{say("no_links")}</p><p>{say("website", website=contact.website)}</p>
<p>{say("phone", phone=contact.phone)}</p><p>{say("code")}</p><p>{say("never_asked")}</p></div>
<div class="end"><h2>{say("heading_contact")}</h2><p>{contact.organisation}{contacts}</p>
<p>{say("sorry")}</p><p>{contact.organisation}<br>{content.written_on}</p></div></div></body></html>"""


def main(who: str, count: int) -> None:
    make = {"tocsin": prepare_tocsin, "weasyprint": prepare_weasyprint}[who]()
    make([somebody(999_999)])
    people = [somebody(number) for number in range(count)]
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    letters, pages, size = make(people)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps(asdict(Set(letters, pages, size, wall, cpu, after.ru_maxrss))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
