"""The made-up estate of a drill: an organisation, its affected people, its facts, and a service that closes interfaces.

Everything here is invented. Addresses lie under example domains (RFC 2606), British numbers in the range that is kept
for fiction (07700 900000 to 900999); China keeps none, so those are made up. A drill never calls or texts.
"""

from __future__ import annotations

import csv
import http.server
import json
import random
import threading
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

SEED = 20260101
ENDPOINT = "/api/v2/members/search"
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟敏静丽强磊洋艳勇军杰娟涛明超霞平刚桂英华玉兰文斌"
_FIRST = ("Alice", "Ben", "Carla", "David", "Emma", "Farid", "Grace", "Hugo", "Iris", "Jonas")
_LAST = ("Smith", "Novak", "Moreau", "Rossi", "Jansen", "Keller", "Lopez", "Virtanen", "O'Brien", "Costa")

SETTINGS = """\
# A workspace born as a drill. Nothing in it is real, and it can never become a live one.

[workspace]
id = "drill"
name = "示例移动通信有限公司（演练）"
born = "drill"
zone = "Asia/Shanghai"
languages = ["zh-Hans", "en"]

[organisation]
name = {{ zh-Hans = "示例移动通信有限公司", en = "Example Mobile Communications" }}
phone = "020-10000"
email = "privacy@example.com"
website = "www.example.com"
address = {{ zh-Hans = "示例省示例市示例路11号", en = "11 Example Road, Example City" }}
protection_officer = {{ name = {{ zh-Hans = "陈静", en = "Chen Jing" }}, contact = "020-10001" }}

[scope]
countries = ["cn", "eu"]

[mail]
host = "127.0.0.1"
port = {mail_port}
tls = "none"
from_name = {{ zh-Hans = "示例移动", en = "Example Mobile" }}
from_address = "notice@example.com"
processor = "mail catcher of the drill"
country = "cn"
relation = "own"

[waves]
{waves}

[promises]
keep_in = ["cn"]
share_with_no_one = true

[hooks]
sources = ["wazuh"]

[playbooks.variables]
containment_url = "http://127.0.0.1:{containment_port}/"
endpoint = "{endpoint}"
"""

# A rehearsal shows the canary, and waits for nothing.
WAVES = "watch_minutes = 0"

ALERT: dict[str, object] = {
    "timestamp": "2026-01-01T02:41:17.306+0000",
    "rule": {
        "level": 12,
        "description": "会员查询接口访问量异常 (many member look-ups from one address)",
        "id": "100210",
        "groups": ["web", "appsec"],
    },
    "agent": {"id": "021", "name": "member-web-01", "ip": "192.0.2.21"},
    "id": "1767235277.100210",
    "decoder": {"name": "web-accesslog"},
    "data": {"srcip": "203.0.113.66", "url": ENDPOINT},
    "location": "/var/log/nginx/access.log",
}


def settings_text(*, mail_port: int, containment_port: int, waves: str = WAVES) -> str:
    """The settings of a drill's workspace; `waves` are the lines of their table."""
    return SETTINGS.format(
        mail_port=mail_port, containment_port=containment_port, endpoint=ENDPOINT, waves=waves
    )


def write_people(file: Path, *, count: int) -> None:
    """A list of affected people in two languages: most reachable, some without an address, some minors."""
    dice = random.Random(SEED)  # noqa: S311 - a made list must come out the same each time
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            ["客户编号", "姓名", "邮箱", "手机号", "语言", "信息种类", "出生日期", "监护人姓名", "监护人邮箱"]
        )
        for number in range(1, count + 1):
            writer.writerow(_person(dice, number))


def _person(dice: random.Random, number: int) -> list[str]:
    chinese = number % 5 != 0
    if chinese:
        name = dice.choice(_SURNAMES) + "".join(dice.choice(_GIVEN) for _ in range(dice.choice((1, 2))))
        phone, language = f"1380000{number % 10000:04d}", "中文"
    else:
        name = f"{dice.choice(_FIRST)} {dice.choice(_LAST)}"
        phone, language = f"+447700900{number % 1000:03d}", "en"
    email = f"person{number:05d}@example.org" if number % 50 else ""
    kinds = "手机号码;位置信息" if number % 3 == 0 else "手机号码"
    minor = number % 100 == 1
    born = f"{2012 + number % 5}-05-01" if minor else f"{1960 + number % 40}-03-15"
    guardian = (f"监护人{number}", f"guardian{number:05d}@example.org") if minor else ("", "")
    return [f"C{number:06d}", name, email, phone, language, kinds, born, *guardian]


def facts_text(*, now: datetime, zone: ZoneInfo, people: int) -> str:
    """What the drill's team finds out, as a facts file. Times lie shortly before now."""

    def at(**ago: float) -> str:
        return f"{(now - timedelta(**ago)).astimezone(zone):%Y-%m-%d %H:%M}"

    return f"""\
said_by: 赵工（应急值班）
source: 访问日志与接口配置
sure: confirmed
personal_data_breach: actual
breach_effects: [confidentiality]
occurred_at: {at(days=2, hours=3)}
ended_at: {at(minutes=5)}
aware_at: {at(minutes=20)}
incident_type: data_security
cause_kind: misconfiguration
systems: [会员服务平台]
system_facts: {{zh-Hans: 会员服务平台的资料查询接口，由本单位自行运营。, en: "The search interface of the member service, run by ourselves."}}
location: 示例省示例市
persons: {people}
persons_sensitive: {{value: {{min: 0, likely: {people // 3}, max: {people // 3}}}, sure: likely}}
data_categories: [phone_number, location]
subject_categories: [用户]
cii_involved: no
central_organ: no
crime_suspected: no
data_class: general
threat_level: some
system_loss: none
site_class: none
platform_class: large
site_down: 0 min
cii_outage_whole: 0 min
cii_outage_main: 0 min
people_disrupted: 120000
province_share: 0
prefecture_share: 0
economic_loss: 0
defacement: no
defacement_home: 0 min
defacement_other: 0 min
defacement_reposts: 0
defacement_views: 0
harm_to_rights: yes
harm_effectively_avoided: no
authority_requires_notice: no
eu_data_subjects: yes
risk_to_people: high
data_unintelligible: no
what_happened:
  zh-Hans: 会员服务平台的一个查询接口设置有误。外部人员无需登录，就能按号码查询会员资料。
  en: A search interface of our member service was set up wrongly. People outside could look up members by number without signing in.
cause:
  zh-Hans: 接口更新时漏掉了登录校验。
  en: An update of the interface left out the sign-in check.
impact_so_far:
  zh-Hans: 部分会员的手机号码和位置信息被外部人员查询。
  en: People outside looked up the phone number and location of some members.
remedies_offered:
  zh-Hans: 我们为您免费开通十二个月的防骚扰服务。您可以拨打客服电话办理。
  en: We offer you twelve months of call protection free of charge. Call us and we will set it up.
planned_measures:
  zh-Hans: 我们将检查所有对外接口的登录校验。
  en: We will check the sign-in of every interface that is open to the outside.
next_update_at: {(now + timedelta(days=7)).astimezone(zone):%Y-%m-%d %H:%M}
"""


class ContainmentService:
    """A service on loopback that "closes" interfaces: it answers as a real one would and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                asked.append({"key": self.headers.get("Idempotency-Key", ""), **json.loads(body)})
                answer = json.dumps({"state": "disabled"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="containment service", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
