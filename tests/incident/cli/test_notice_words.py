"""The words of a notice at the terminal: where they are from."""

from __future__ import annotations

import json

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
