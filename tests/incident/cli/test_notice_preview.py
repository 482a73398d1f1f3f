"""The notice at the terminal as each reader gets it, with the ends of the real list and without showing anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import sql
from tests.support.estates import Estate
from tests.support.printed import fonts_for_letters, pages_of

LIST = (
    "reference,name,email,language,data,phone\n"
    "C1,欧阳婵娟,z@example.org,zh-Hans,phone_number,13800138000\n"
    "C2,Zoë Winter-Smith,a@example.org,en,phone_number;location,13800138001\n"
    "C3,Bo,b@example.org,en,phone_number,\n"
)
SMALL = ("sms", "push", "in_app", "voice", "call_centre")


@pytest.fixture
def listed(estate: Estate, tmp_path: Path) -> Estate:
    file = tmp_path / "people.csv"
    file.write_text(LIST, encoding="utf-8")
    estate.done("people", "import", estate.id, file)
    return estate


@pytest.mark.parametrize("language", ["zh-Hans", "en"])
@pytest.mark.parametrize("channel", SMALL)
def test_every_channel_is_shown_in_every_language(estate: Estate, channel: str, language: str) -> None:
    words = ("notice", "preview", estate.id, "--channel", channel, "--language", language)
    text = estate.done(*words).out
    assert ("personal places: none" if channel == "push" else "personal places: made up") in text
    document = estate.done(*words, "--json").document
    assert document["text"] in text
    assert (document["channel"], document["filled_with"]) == (channel, "sample")
    assert ("Ann Lee" in text or "张三" in text) == (channel != "push")
    slots = estate.done(*words, "--with", "slots").out
    assert ("[person_name]" in slots) == (channel != "push")


def test_the_sms_says_its_segments_its_encoding_and_that_the_cost_is_not_known(listed: Estate) -> None:
    text = listed.done("notice", "preview", listed.id, "--channel", "sms", "--language", "en").out
    assert "segments: 3 (gsm-7, " in text and "only UCS-2 holds" not in text
    assert "people: 3 on the list, 2 with a phone number" in text
    assert "cost for all of these: not known; set price under [sms] in incident.toml" in text
    assert "only in the full text: " in text
    assert "laws that name this way: cn-netdata-reg-11, eu-gdpr" in text
    assert "cn-gbt-35273-10 names other ways: phone, email, push, letter" in text


def test_the_names_of_the_places_are_not_counted_as_an_sms(listed: Estate) -> None:
    words = ("notice", "preview", listed.id, "--channel", "sms", "--language", "en", "--with", "slots")
    text = listed.done(*words).out
    assert "[first_step]" in text and "segments: " not in text.replace("segments for all of these: ", "")
    assert "sms" not in listed.done(*words, "--json").document


def test_the_cost_is_that_of_everybody_with_a_number(listed: Estate) -> None:
    listed.change_settings("[hooks]", '[sms]\nprice = 0.045\ncurrency = "EUR"\n\n[hooks]')
    words = ("notice", "preview", listed.id, "--channel", "sms", "--language", "en")
    found = listed.done(*words, "--json").document["list"]
    assert found["people_by_segments"] == {"3": 1, "6": 1}
    assert (found["segments"], found["cost"], found["currency"]) == (9, "0.405", "EUR")
    assert "cost for all of these: 0.405 EUR (0.045 a segment)" in listed.done(*words).out


def test_the_longest_of_the_list_is_shown_under_another_name_and_forces_the_same(listed: Estate) -> None:
    words = ("notice", "preview", listed.id, "--channel", "sms", "--language", "en", "--with", "longest")
    answer = listed.done(*words)
    assert "Xxŵ Xxxxxx-Xxxxx" in answer.out
    assert "Zoë" not in answer.text and "Winter" not in answer.text
    assert "segments: 6 (ucs-2, " in answer.out and "only UCS-2 holds: ŵ" in answer.out
    short = listed.done(*words[:-1], "shortest")
    assert "Dear Xx, this is" in short.out
    chinese = listed.done(*words[:6], "zh-Hans", "--with", "longest").out
    assert "某某某某您好" in chinese


def test_their_own_name_is_shown_to_who_signs_for_it_and_that_is_on_record(listed: Estate) -> None:
    words = (
        "notice",
        "preview",
        listed.id,
        "--channel",
        "sms",
        "--language",
        "en",
        "--with",
        "longest",
        "--reveal",
    )
    listed.refused(*words, "--reason", "to see the longest", says=["--as"])
    listed.refused("--as", "anna", *words, says=["--reason"])
    answer = listed.done("--as", "anna", *words, "--reason", "to see the longest")
    assert "Dear Zoë Winter-Smith" in answer.out
    assert "personal places: of the longest on the list\n" in answer.out
    [(kind,)] = sql(listed.root, "SELECT subject_kind FROM decision")
    assert kind == "reveal"
    listed.refused(*words[:-3], "--reveal", code=2, says=["--with"])


def test_the_e_mail_is_filled_too_and_escaped_in_its_file(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("reference,name,language,data,phone\nC1,<b>{{7*7}}</b>,en,phone_number,13800138000\n")
    estate.done("people", "import", estate.id, file)
    words = ("notice", "preview", estate.id, "--language", "en")
    assert "Dear [person_name]," in estate.done(*words).out
    reveal = ("--with", "longest", "--reveal", "--reason", "to see the longest")
    assert "Dear <b>{{7*7}}</b>," in estate.done("--as", "anna", *words, *reveal).out
    page = tmp_path / "mail.html"
    estate.done("--as", "anna", *words, *reveal, "-o", page)
    assert "&lt;b&gt;{{7*7}}&lt;/b&gt;" in page.read_text("utf-8")
    assert "<b>{{" not in page.read_text("utf-8")


def test_a_call_and_a_script_are_written_as_text(listed: Estate, tmp_path: Path) -> None:
    words = ("notice", "preview", listed.id, "--language", "zh-Hans", "--with", "longest", "-o")
    listed.done(*words, tmp_path / "call.txt", "--channel", "voice")
    call = (tmp_path / "call.txt").read_text("utf-8")
    assert "如果您是某某某某，请按1。" in call.splitlines() and "欧阳" not in call
    listed.done(*words, tmp_path / "script.txt", "--channel", "call_centre")
    assert "五、绝不" in (tmp_path / "script.txt").read_text("utf-8")


def test_a_call_is_shown_as_a_dialogue_with_where_each_key_leads(listed: Estate) -> None:
    words = ("notice", "preview", listed.id, "--language", "en", "--channel", "voice")
    lines = listed.done(*words).out.splitlines()
    heads = [line for line in lines if line.partition(" ")[0].isupper() and " (" in line]
    assert [head.partition(" ")[0] for head in heads] == [
        "GREETING", "TEXT", "THANKS", "WRONG_PERSON", "NOT_HEARD", "MACHINE",
    ]  # fmt: skip
    leads = [line for line in lines if line.startswith("  -> ")]
    assert leads == [
        "  -> 1: text, 2: wrong_person, no key: not_heard",
        "  -> 1: thanks, 2: text, no key: not_heard",
    ]
    greeting = lines[lines.index(heads[0]) + 1 : lines.index(leads[0])]
    assert greeting[0] == "Hello, this is Example Mobile." and "If you are Ann Lee, press 1." in greeting
    text = lines[lines.index(heads[1]) + 1 : lines.index(leads[1])]
    assert "To confirm that you have heard this, press 1." in text
    document = listed.done(*words, "--json").document
    assert (document["parts"]["greeting"], document["parts"]["text"]) == (greeting, text)
    assert document["keys"]["greeting"] == {"1": "text", "2": "wrong_person"}
    assert document["without_a_key"] == "not_heard"
    slots = listed.done(*words, "--with", "slots").out
    assert "If you are [person_name], press 1." in slots and "Your code is: [code]." in slots


def test_the_parts_of_push_and_pop_up_stand_in_the_document(listed: Estate) -> None:
    def document(channel: str) -> dict[str, object]:
        found: dict[str, object] = listed.done(
            "notice", "preview", listed.id, "--language", "en", "--channel", channel, "--json"
        ).document
        return found

    assert document("push")["title"] == "Notice from Example Mobile"
    shown = document("in_app")
    assert shown["buttons"] == [
        {"key": "call", "label": "Call 020-10000"},
        {"key": "understood", "label": "I have read this"},
    ]
    assert {"text": "What happened", "heading": True} in shown["paragraphs"]  # type: ignore[operator]
    assert "named_by" not in shown, "no law has a word for a pop-up"


def test_with_nobody_in_a_language_made_up_values_are_shown_and_called_that(
    estate: Estate, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("reference,name,language,data,phone\nC1,Quirin,en,phone_number,13800138000\n")
    estate.done("people", "import", estate.id, file)
    words = ("notice", "preview", estate.id, "--channel", "sms", "--with", "longest", "--language")
    chinese = estate.done(*words, "zh-Hans").out
    assert "made up; nobody on the list is told in this language" in chinese
    assert "people: 1 on the list, 1 with a phone number" in chinese
    assert "made up" not in estate.done(*words, "en").out


def test_an_empty_list_shows_made_up_values(estate: Estate) -> None:
    words = ("notice", "preview", estate.id, "--channel", "sms", "--language", "en", "--with")
    long, short = estate.done(*words, "longest").out, estate.done(*words, "shortest").out
    for text in (long, short):
        assert "made up; nobody on the list is told in this language" in text
        assert "people: 0 on the list" in text
    assert "Maximiliane Alexandra Winterbottom-Smith" in long
    assert "Dear customer," in short


def test_words_that_are_none_are_refused(estate: Estate) -> None:
    words = ("notice", "preview", estate.id)
    estate.refused(*words, "--channel", "fax", code=2, says=["fax", "call_centre"])
    estate.refused(*words, "--with", "love", code=2, says=["love", "longest"])
    estate.refused(*words, "--reveal", code=2, says=["nobody to reveal"])
    estate.refused(*words, "--language", "fr", "--channel", "sms", code=2, says=["fr"])


def test_an_own_template_that_names_the_reader_in_a_push_is_refused_with_its_place(estate: Estate) -> None:
    own = estate.root / "templates" / "notice" / "zh-Hans"
    own.mkdir(parents=True)
    (own / "push.body.txt.j2").write_text("{{ slots.person_name }}", "utf-8")
    words = ("notice", "preview", estate.id, "--channel", "push")
    estate.refused(*words, says=["others may read", "notice/zh-Hans/push.body.txt.j2"])


# -- letters -----------------------------------------------------------------------------------------


def test_a_letter_is_shown_as_pdf_and_as_pictures(listed: Estate, tmp_path: Path) -> None:
    fonts_for_letters()
    words = ("notice", "preview", listed.id, "--channel", "letter", "--language", "en")
    said = listed.done(*words).out
    assert "a letter of 2 pages" in said and "add -o letter.pdf" in said
    pdf, picture = tmp_path / "letter.pdf", tmp_path / "letter.png"
    found = listed.done(*words, "-o", pdf, "--json").document
    assert (found["pages"], found["objection"], found["files"]) == (2, None, [str(pdf)])
    assert "Ann Lee" in words_in(pdf, tmp_path)
    found = listed.done(*words, "-o", picture, "--json").document
    assert found["files"] == [str(picture), str(tmp_path / "letter-2.png")]
    assert all(Path(file).read_bytes().startswith(b"\x89PNG") for file in found["files"])


def test_the_longest_letter_of_the_list_shows_nobody_unless_it_is_signed(
    listed: Estate, tmp_path: Path
) -> None:
    fonts_for_letters()
    words = ("notice", "preview", listed.id, "--channel", "letter", "--language", "en", "--with", "longest")
    pdf = tmp_path / "letter.pdf"
    listed.done(*words, "-o", pdf)
    assert "Winter" not in words_in(pdf, tmp_path)
    listed.refused(*words, "--reveal", "-o", pdf)
    listed.done("--as", "anna", *words, "--reveal", "--reason", "Proof", "-o", pdf)
    assert "Winter-Smith" in words_in(pdf, tmp_path)


def test_a_letter_is_refused_with_what_is_missing(listed: Estate, tmp_path: Path) -> None:
    fonts_for_letters()
    words = ("notice", "preview", listed.id, "--channel", "letter")
    assert "not .docx" in listed.refused(*words, "-o", tmp_path / "letter.docx", code=2).err
    assert "sample, longest or shortest" in listed.refused(*words, "--with", "slots", code=2).err
    listed.change_settings("[hooks]", '[paper]\nfonts = { zh-Hans = "No Such Font" }\n\n[hooks]')
    assert "the font No Such Font is not on this machine" in listed.refused(*words).err


def words_in(pdf: Path, folder: Path) -> str:
    return " ".join(word.text for page in pages_of(pdf.read_bytes(), folder) for word in page.words)
