"""The words of a notice at the terminal: where they are from."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.estates import Estate


def test_why_prints_each_sentence_with_where_it_is_from(estate: Estate) -> None:
    answer = estate.run("notice", "check", estate.id, "--why")
    assert "Sentence" in answer.out and "shipped phrase: began" in answer.out
    assert "Headings, greeting and how to check the notice are the template's" in answer.out
    drafted = estate.done("notice", "draft", estate.id, "--why")
    assert "measure taken: " in drafted.out


def test_why_is_one_json_document_with_facts_and_who_said_them(estate: Estate) -> None:
    document = json.loads(estate.done("notice", "draft", estate.id, "--why", "--json").out)
    assert {"version", "content_hash", "findings", "sentences", "releasable"} <= set(document)
    began = [each for each in document["sentences"] if "phrases/began" in each["entries"]]
    assert {each["language"] for each in began} == {"zh-Hans", "en"}
    assert all(each["facts"][0]["field"] == "occurred_at" and each["facts"][0]["said_by"] for each in began)
    assert "sentences" not in json.loads(estate.done("notice", "draft", estate.id, "--json").out)


def test_words_are_given_as_text_as_file_and_over_standard_input(estate: Estate, tmp_path: Path) -> None:
    answer = estate.done(
        "--as", "anna", "notice", "edit", estate.id, "cause", "--language", "en", "--text", "A gateway was open."
    )  # fmt: skip
    assert "version 1" in answer.out and "signatures of earlier versions do not count" in answer.err
    file = tmp_path / "words.txt"
    file.write_text("\ufeff我们的一个接口没有校验登录。\n", "utf-8")
    edit = ("notice", "edit", estate.id)
    estate.done(*edit, "cause", "--language", "zh-Hans", "--file", file)
    estate.done(
        *edit, "planned", "--language", "en", "--file", "-", stdin="We will look at every interface.\n"
    )
    document = json.loads(estate.done("notice", "draft", estate.id, "--why", "--json").out)
    written = {each["text"]: each["written_by"] for each in document["sentences"] if each["written_by"]}
    assert written["A gateway was open."] == "anna"
    assert set(written) == {
        "A gateway was open.",
        "我们的一个接口没有校验登录。",
        "We will look at every interface.",
    }
    assert "written by anna, " in estate.run("notice", "check", estate.id, "--why").out
    assert "notice edited: cause (en)" in estate.done("timeline", estate.id).out


def test_a_figure_of_ones_own_is_answered_with_what_the_record_has(estate: Estate) -> None:
    words = ("--language", "en", "--text", "It concerns 12,000 people.")
    answer = estate.done("notice", "edit", estate.id, "consequences", *words)
    assert '"12,000"' in answer.out and "Persons affected 6" in answer.out


def test_what_the_law_asks_for_is_left_out_only_to_be_refused_and_can_be_taken_back(estate: Estate) -> None:
    part = ("notice", "edit", estate.id, "cause", "--language", "en")
    left = json.loads(estate.done(*part, "--leave-out", "--json").out)
    assert not left["releasable"]
    [finding] = left["findings"]
    assert (finding["code"], finding["place"]) == ("missing-element", "cause")
    assert any(regime == "cn-pipl-57" for regime, _ in finding["articles"])
    estate.refused("--as", "anna", "notice", "release", estate.id, says=["may not be released"])
    assert json.loads(estate.done(*part, "--remove", "--json").out)["releasable"]
    estate.refused(*part, "--remove", says=["nobody wrote"])


def test_what_cannot_be_written_is_refused(estate: Estate, tmp_path: Path) -> None:
    edit = ("notice", "edit", estate.id)
    english = ("--language", "en")
    estate.refused(*edit, "cause", *english, code=2, says=["--text, --file, --leave-out, --remove"])
    estate.refused(*edit, "cause", *english, "--text", "x", "--remove", code=2)
    estate.refused(*edit, "cause", "--text", "x", code=2, says=["in which language"])
    estate.refused(*edit, "measures_taken", *english, "--text", "x", says=["incident log"])
    estate.refused(*edit, "cause", *english, "--file", tmp_path / "none", says=["cannot be read"])
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"\xff\xfe")
    estate.refused(*edit, "cause", *english, "--file", bad, says=["not UTF-8"])
    estate.refused("notice", "edit", "INC-1999-0001", "cause", *english, "--text", "x", says=["no incident"])
