"""How an account stands at its provider."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from notifiers.sms_gateway.gateway import Template
from notifiers.sms_gateway.standing import ProblemKind, Standing
from notifiers.sms_gateway.terms import Approval
from tests.support.sms_gateway.account import (
    ALIYUN_ID,
    ALIYUN_TEXT,
    SIGNATURE,
    TENCENT_ID,
    TENCENT_TEXT,
    Account,
    Registered,
    default_account,
)
from tests.support.sms_gateway.sending import DIALECTS, a_client
from tests.support.sms_gateway.server import Act, Answer, SmsGateway, sms_gateway

both = pytest.mark.parametrize("dialect", DIALECTS)


def standing(dialect: str, gateway: SmsGateway, **settings: Any) -> Standing:
    async def go() -> Standing:
        async with a_client(dialect, gateway.port, **settings) as client:
            return await client.standing()

    return asyncio.run(go())


def an_account(dialect: str, **changes: Any) -> Account:
    return dataclasses.replace(default_account(dialect), **changes)


@both
def test_an_account_in_order_has_no_problems(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        stands = standing(dialect, gateway)
        assert not gateway.refusals
    assert stands.problems == ()
    [template] = stands.templates
    assert template.state is Approval.approved
    assert template.text == (ALIYUN_TEXT if dialect == "aliyun" else TENCENT_TEXT)
    assert stands.signature is not None
    assert (stands.signature.name, stands.signature.state) == (SIGNATURE, Approval.approved)
    assert stands.credits == (None if dialect == "aliyun" else 990)


@pytest.mark.parametrize(
    ("dialect", "state", "approval"),
    [
        ("aliyun", 0, Approval.pending),
        ("aliyun", 2, Approval.rejected),
        ("aliyun", 10, Approval.rejected),
        ("aliyun", 15, Approval.unknown),
        ("tencent", 1, Approval.pending),
        ("tencent", 2, Approval.pending),
        ("tencent", -1, Approval.rejected),
    ],
)
def test_what_is_not_approved_is_a_problem_with_its_reason(
    dialect: str, state: int, approval: Approval
) -> None:
    key, text = (ALIYUN_ID, ALIYUN_TEXT) if dialect == "aliyun" else (TENCENT_ID, TENCENT_TEXT)
    templates = {key: Registered(text, state, "内容不合规")}
    with sms_gateway(
        dialect, account=an_account(dialect, templates=templates, signature_state=state)
    ) as gateway:
        stands = standing(dialect, gateway)
    [template] = stands.templates
    assert (template.state, template.reason) == (approval, "内容不合规")
    kinds = {problem.kind: problem for problem in stands.problems}
    assert kinds.keys() == {ProblemKind.template_not_approved, ProblemKind.signature_not_approved}
    assert kinds[ProblemKind.template_not_approved].text == "内容不合规"
    assert kinds[ProblemKind.template_not_approved].subject == key


@both
def test_another_text_at_the_provider_is_a_problem(dialect: str) -> None:
    key, text = (ALIYUN_ID, ALIYUN_TEXT) if dialect == "aliyun" else (TENCENT_ID, TENCENT_TEXT)
    with sms_gateway(dialect) as gateway:
        stands = standing(dialect, gateway, templates=(Template(key, text.replace("可能", "已经")),))
    assert [problem.kind for problem in stands.problems] == [ProblemKind.template_differs]


@both
def test_what_the_provider_does_not_have_is_a_problem(dialect: str) -> None:
    text = ALIYUN_TEXT if dialect == "aliyun" else TENCENT_TEXT
    with sms_gateway(dialect) as gateway:
        stands = standing(dialect, gateway, templates=(Template("404", text),), signature="没有的签名")
    assert stands.signature is not None
    assert stands.signature.state is Approval.unknown
    assert [template.state for template in stands.templates] == [Approval.unknown]
    assert {problem.subject for problem in stands.problems} == {"404", "没有的签名"}


@pytest.mark.parametrize("package", [(100, 100, 4_000_000_000), (100, 0, 1_000_000_000)])
def test_no_credits_are_a_problem(package: tuple[int, int, int]) -> None:
    with sms_gateway("tencent", account=an_account("tencent", packages=(package,))) as gateway:
        stands = standing("tencent", gateway)
    assert stands.credits == 0
    assert [problem.kind for problem in stands.problems] == [ProblemKind.no_credits]


@both
def test_a_wrong_key_and_silence_are_problems_and_no_errors(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        stands = standing(dialect, gateway, secret="wrong-secret")
        assert {problem.kind for problem in stands.problems} == {ProblemKind.unanswered}
        assert "wrong-secret" not in repr(stands)
        gateway.answer_with(Answer(Act.drop), action="template", times=1)
        [problem] = standing(dialect, gateway).problems
        assert (problem.kind, problem.text) == (
            ProblemKind.unanswered,
            "the connection to the gateway broke",
        )
