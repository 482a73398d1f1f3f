"""The guide on SMS: what it declares is taken, and its registered texts, its template file and the definitions fit."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import SmppSettings, SmsGatewaySettings, TwilioSettings
from incident.delivery.gateway_lint import mistakes_in
from incident.delivery.gateway_room import gateway_from
from incident.delivery.gateway_standing import must_be_registered
from incident.delivery.sms_asking import AFTER
from incident.delivery.sms_gateways import read_definition
from incident.errors import Refused
from incident.law.categories import category_catalogue
from incident.notice.channels import Sms
from incident.notice.content import NoticeContent
from incident.notice.findings import refusals
from incident.notice.frozen import FrozenNotice
from incident.notice.languages import shipped_languages
from incident.notice.release import assemble
from incident.notice.render import DATA_TYPES_OF_PERSON
from incident.notice.render_small import first_sentence
from incident.notice.stand_ins import sample_values
from incident.notice.updating import sms_marked_as_update, update_mark
from incident.ops.doctor_sms import typical_sms
from incident.record.dossier import load_dossier
from incident.settings import Settings
from notifiers.errors import BadMessage
from notifiers.sms_gateway.gateway import Gateway, Template
from notifiers.sms_gateway.terms import Slot
from tests.support.breaches import Breach, make_breach

GUIDE = (Path(__file__).parents[2] / "docs" / "sms.md").read_text(encoding="utf-8")
LANGUAGE = "zh-Hans"
BOTH = ("aliyun", "tencent")
VARIABLES = {
    "aliyun": ("name", "happened", "became", "types", "step", "code"),
    "tencent": ("1", "2", "3", "4", "5", "6"),
}


def block(mark: str) -> str:
    """The example behind a mark of the guide."""
    found = re.search(rf"(?ms)^<!-- {mark} -->\n\n```[a-z]+\n(.*?)^```$", GUIDE)
    assert found, mark
    return found[1]


def declared(name: str) -> SmsGatewaySettings:
    return SmsGatewaySettings.model_validate(tomllib.loads(block(name))["sms"]["gateway"])


def gateway(name: str) -> Gateway:
    return gateway_from(declared(name), root=Path("no-workspace"))


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_SMS_SECRET", "s3cret")


def test_the_account_at_twilio_of_the_guide_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("twilio", reason="the extra twilio is not installed")
    from incident.delivery.twilio_room import twilio_from

    monkeypatch.setenv("TOCSIN_TWILIO_SECRET", "s3cret" * 5)
    monkeypatch.setenv("TOCSIN_TWILIO_TOKEN", "0" * 32)
    settings = TwilioSettings.model_validate(tomllib.loads(block("twilio"))["sms"]["twilio"])
    assert settings.missing == ()
    found = twilio_from(settings, root=Path("no-workspace"))
    assert found.account.callback_base == settings.callback_url


@pytest.fixture(scope="module")
def breach(tmp_path_factory: pytest.TempPathFactory) -> Breach:
    """A breach in a workspace whose SMS in Chinese is the guide's template file."""
    made = make_breach(tmp_path_factory.mktemp("house"))
    folder = made.made.workspace.root / "templates" / "notice" / LANGUAGE
    folder.mkdir(parents=True)
    folder.joinpath("sms.txt.j2").write_text(block("template"), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def frozen(breach: Breach) -> FrozenNotice:
    dossier = load_dossier(breach.made.store, breach.id)
    notice, findings = assemble(dossier, breach.house.bench(dossier), written_at=breach.made.clock())
    assert refusals(findings) == []
    return notice


def sms_in(frozen: FrozenNotice) -> tuple[NoticeContent, Sms]:
    sms = frozen.channels[LANGUAGE].sms
    assert sms is not None
    return frozen.contents[LANGUAGE], sms


def settings_with(data: dict[str, Any]) -> Settings:
    return Settings.model_validate({"workspace": {"id": "x", "name": "x"}, **data})


@pytest.mark.parametrize("number", range(len(re.findall(r"(?m)^```toml$", GUIDE))))
def test_every_example_of_settings_is_taken(number: int) -> None:
    text = re.findall(r"(?ms)^```toml\n(.*?)^```$", GUIDE)[number]
    settings = settings_with(tomllib.loads(text))
    carrier = settings.sms.carrier
    assert carrier is not None
    if settings.fallback.means[0] == "sms" or isinstance(carrier, SmppSettings):
        assert carrier.missing == ()


def test_the_example_of_a_definition_is_sound_and_says_what_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(block("own"), encoding="utf-8")
    assert mistakes_in(file) == []
    assert read_definition(file).send.slots == {Slot.number, Slot.text, Slot.own_id}


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("size", ["shortest", "sample", "longest"])
def test_a_notice_written_with_the_template_of_the_guide_is_its_registered_text(
    frozen: FrozenNotice, name: str, size: str
) -> None:
    content, sms = sms_in(frozen)
    chosen = gateway(name).chosen_for(sms.filled(sample_values(content, size=size)).text)
    assert chosen.template == declared(name).templates[1].id
    assert set(chosen.parameters) == set(VARIABLES[name])


@pytest.mark.parametrize("name", BOTH)
def test_what_stands_in_each_variable_is_what_the_guide_says(frozen: FrozenNotice, name: str) -> None:
    content, sms = sms_in(frozen)
    values = sample_values(content)
    found = gateway(name).chosen_for(sms.filled(values).text).parameters
    who, happened, became, types, step, code = (found[each] for each in VARIABLES[name])
    assert (who, became, code) == ("张三", "已经泄露", "K7P2-4M9Q-X5T")
    assert types == values[DATA_TYPES_OF_PERSON]
    assert step in {each.text for each in sms.steps}
    assert happened in "".join(content.what_happened or ())


@pytest.mark.parametrize("name", BOTH)
def test_an_update_is_the_registered_text_for_updates(frozen: FrozenNotice, name: str) -> None:
    content, sms = sms_in(frozen)
    mark = update_mark(shipped_languages()[LANGUAGE])
    text = sms_marked_as_update(sms.filled(sample_values(content)).text, mark, content.written_on)
    for_updates, for_notices = gateway(name).templates
    chosen = gateway(name).chosen_for(text)
    assert chosen.template == for_updates.id
    assert content.written_on in chosen.parameters.values()
    longer = sms_marked_as_update(
        sms.filled(sample_values(content, size="longest")).text, mark, content.written_on
    )
    with pytest.raises(BadMessage):
        replace(gateway(name), templates=(for_notices,)).chosen_for(longer)


@pytest.mark.parametrize("name", BOTH)
def test_the_typical_text_of_the_doctor_fits(breach: Breach, name: str) -> None:
    text = typical_sms(breach.house, LANGUAGE)
    assert text is not None
    assert gateway(name).chosen_for(text).template == declared(name).templates[1].id


def test_the_template_of_the_guide_says_what_the_shipped_one_says(
    frozen: FrozenNotice, tmp_path: Path
) -> None:
    plain = make_breach(tmp_path)
    dossier = load_dossier(plain.made.store, plain.id)
    shipped, _ = assemble(dossier, plain.house.bench(dossier), written_at=plain.made.clock())
    assert sms_in(shipped)[1].text == sms_in(frozen)[1].text


@pytest.mark.parametrize("name", BOTH)
def test_a_notice_with_a_language_of_which_no_text_is_registered_is_refused(
    frozen: FrozenNotice, name: str
) -> None:
    chinese = replace(frozen, channels={LANGUAGE: frozen.channels[LANGUAGE]})
    must_be_registered(gateway(name), chinese)
    with pytest.raises(Refused, match="the SMS in en"):
        must_be_registered(gateway(name), frozen)


def test_with_six_characters_a_text_of_fixed_sentences_fits_who_has_a_short_name(
    frozen: FrozenNotice,
) -> None:
    content, sms = sms_in(frozen)
    [of_six] = tomllib.loads(block("six"))["sms"]["gateway"]["templates"]
    narrow = replace(
        gateway("tencent"), templates=(Template(of_six["id"], of_six["text"]),), longest_variable=0
    )
    assert narrow.longest_variable == 6
    found = narrow.chosen_for(sms.filled(sample_values(content)).text).parameters
    assert list(found.values()) == ["张三", "K7P2", "4M9Q", "X5T"]
    with pytest.raises(BadMessage):
        narrow.chosen_for(sms.filled(sample_values(content, size="longest")).text)


@pytest.mark.parametrize("name", BOTH)
def test_the_limits_that_the_guide_names_are_those_of_the_definitions(name: str) -> None:
    definition = gateway(name).definition
    longest, days = {"aliyun": (35, 30), "tencent": (6, 7)}[name]
    assert definition.template.longest_variable == longest
    assert definition.receipt is not None and definition.receipt.days_back == days
    assert f"{days} " in GUIDE and "1 to 35 characters at Aliyun and 1 to 6 at Tencent" in GUIDE
    assert (definition.credits is not None) is (name == "tencent")


def test_the_times_of_asking_are_those_of_the_guide() -> None:
    assert "1 minute, 4 minutes, 15 minutes, 1 hour, 6 hours, 1 day and 3 days" in GUIDE
    assert [each.total_seconds() / 60 for each in AFTER] == [1, 4, 15, 60, 360, 1440, 4320]


def test_the_guide_names_every_slot_and_every_key_of_a_definition(tmp_path: Path) -> None:
    told = GUIDE.split("### A gateway of your own")[1].split("### What was not tried")[0]
    for slot in Slot:
        assert f"`{slot}`" in told or f"{{{slot}}}" in told
    file = tmp_path / "own.yaml"
    file.write_text(block("own"), encoding="utf-8")
    for key in type(read_definition(file)).model_fields:
        assert f"`{key}`" in told


def test_the_shipped_things_to_do_fit_into_a_variable() -> None:
    steps = [first_sentence(each.advice[LANGUAGE]) for each in category_catalogue().values()]
    assert steps and max(map(len, steps)) < 35
