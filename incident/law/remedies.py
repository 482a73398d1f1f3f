"""Help that can be offered to the people concerned: what it is, who in the organisation gives it, what limits it.

Nothing here is promised. A notice tells of a remedy once the record says that it is offered (the fact
`remedies_chosen`); until then it is a suggestion to the person who can give it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator

from incident.errors import BadInput
from incident.law.data import Strict
from incident.law.entries import checked_entries
from incident.law.grading import Text
from incident.record.facts import FactSheet, FrozenText


class Owner(StrEnum):
    """The role in the organisation that gives a remedy and can say how many people it is enough for."""

    customer_service = "customer_service"
    billing = "billing"
    finance = "finance"
    security = "security"
    network_operations = "network_operations"
    fraud_prevention = "fraud_prevention"
    dba = "dba"
    data_protection = "data_protection"
    legal = "legal"
    human_resources = "human_resources"


OWNER_TITLES: Mapping[Owner, FrozenText] = {
    Owner.customer_service: FrozenText({"zh-Hans": "客户服务", "en": "customer service"}),
    Owner.billing: FrozenText({"zh-Hans": "计费账务", "en": "billing"}),
    Owner.finance: FrozenText({"zh-Hans": "财务", "en": "finance"}),
    Owner.security: FrozenText({"zh-Hans": "网络与信息安全", "en": "security"}),
    Owner.network_operations: FrozenText({"zh-Hans": "网络运营", "en": "network operations"}),
    Owner.fraud_prevention: FrozenText({"zh-Hans": "反诈", "en": "fraud prevention"}),
    Owner.dba: FrozenText({"zh-Hans": "数据库管理", "en": "database administration"}),
    Owner.data_protection: FrozenText({"zh-Hans": "个人信息保护", "en": "data protection"}),
    Owner.legal: FrozenText({"zh-Hans": "法务", "en": "legal"}),
    Owner.human_resources: FrozenText({"zh-Hans": "人力资源", "en": "human resources"}),
}


class CapacityUnit(StrEnum):
    """How the owner counts: so many `per_day`, or so many `in_all` (a stock, a budget, a contract)."""

    per_day = "per_day"
    in_all = "in_all"


class Remedy(Strict):
    """`offer` is the sentence a notice prints once it is confirmed; `capacity` is what the owner has to answer first."""

    title: Text
    offer: Text
    owner: Owner
    capacity: Text
    unit: CapacityUnit


@cache
def remedy_catalogue() -> Mapping[str, Remedy]:
    """All remedies by key."""
    text = files("incident.law").joinpath("remedies.yaml").read_text("utf-8")
    return MappingProxyType(checked_entries(Remedy, text, name="remedies.yaml"))


def remedy_names() -> frozenset[str]:
    return frozenset(remedy_catalogue())


def _remedy_key(key: str) -> str:
    if key not in remedy_catalogue():
        raise ValueError(f"there is no remedy called “{key}”; {_nearest(key)}")
    return key


RemedyKey = Annotated[str, AfterValidator(_remedy_key)]


def check_remedies(sheet: FactSheet) -> None:
    """`BadInput` for the first of `remedies_chosen` that is not in the list, with the nearest keys."""
    named = sheet.get("remedies_chosen")
    for key in named if isinstance(named, tuple) else ():
        if key not in remedy_catalogue():
            raise BadInput(
                f"there is no remedy called “{key}”", where="remedies_chosen", next_step=_nearest(key)
            )


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key, remedy_catalogue(), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"remedies are {', '.join(remedy_catalogue())}"
