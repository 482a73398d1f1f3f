"""What kinds of values settings hold, each checked as it is read: countries, organisations, zones, times, hosts; and the
base of the tables that hold them."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict

from incident.errors import BadInput
from incident.hosts import host_rule

SQLITE_PREFIX = "sqlite:///"
POSTGRES_PREFIX = "postgresql://"
# As PostgreSQL reads it: user and password end at the first @, an option may name a password too.
_PASSWORD_IN_URL = re.compile(r"[^?]*://[^@?]*:[^@?]*@|.*[?&][a-z]*password=", re.IGNORECASE)
_SECRET_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-[0-9]{3})?")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_COUNTRY = re.compile(r"[a-z]{2}")
_COUNTRY_OR_PART = re.compile(r"[a-z]{2}(-[a-z0-9]{1,3})?")


class Part(BaseModel):
    """One table of the settings file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OrganisationKind(StrEnum):
    """What an organisation is, where a law binds only some. A closed list: regimes and workspaces use the same words."""

    telecom_operator = "telecom_operator"
    internet_service = "internet_service"
    platform_operator = "platform_operator"
    central_enterprise = "central_enterprise"
    cii_operator = "cii_operator"
    industry_data_handler = "industry_data_handler"
    payment_institution = "payment_institution"
    nis2_entity = "nis2_entity"
    trust_service_provider = "trust_service_provider"
    financial_entity = "financial_entity"
    digital_product_manufacturer = "digital_product_manufacturer"
    health_care_entity = "health_care_entity"
    nonbank_financial_institution = "nonbank_financial_institution"
    listed_company = "listed_company"
    critical_infrastructure_operator = "critical_infrastructure_operator"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone; write for example Asia/Shanghai") from None
    return name


def _secret_reference(text: str) -> str:
    if not _SECRET_REFERENCE.fullmatch(text):
        raise ValueError("a secret is never written into the settings; write env:NAME or file:PATH")
    return text


def is_secret_reference(text: str) -> bool:
    """Whether a text says where a secret lies, as `env:NAME` or `file:PATH`."""
    return _SECRET_REFERENCE.fullmatch(text) is not None


def is_language_tag(text: str) -> bool:
    """Whether a text is a language tag (BCP 47): a language, and where it tells something a script and a region."""
    return _LANGUAGE_TAG.fullmatch(text) is not None


def _languages(tags: list[str]) -> list[str]:
    if not tags:
        raise ValueError("name at least one language, for example zh-Hans")
    if strange := [tag for tag in tags if not is_language_tag(tag)]:
        raise ValueError(
            f"{strange[0]!r} is no language tag (BCP 47); write for example zh-Hans, zh-Hant or en"
        )
    return list(dict.fromkeys(tags))


def _time_of_day_span(text: str) -> str:
    if not text:
        return text
    begins, _, ends = text.partition("-")
    if not (_TIME_OF_DAY.fullmatch(begins) and _TIME_OF_DAY.fullmatch(ends)) or begins == ends:
        raise ValueError(f"{text!r} is no time of day; write for example 22:00-08:00")
    return text


def _host(text: str) -> str:
    try:
        host_rule(text)
    except BadInput as error:
        raise ValueError(f"{error.what}; {error.next_step}") from None
    return text


def _country(text: str) -> str:
    code = text.strip().lower()
    if not _COUNTRY.fullmatch(code):
        raise ValueError(f"{text!r} is no country code; write two letters (ISO 3166-1), for example cn")
    return code


def _country_or_part(text: str) -> str:
    code = text.strip().lower()
    if not _COUNTRY_OR_PART.fullmatch(code):
        raise ValueError(
            f"{text!r} is no country code; write two letters (ISO 3166-1), for example cn, or a part: us-ca"
        )
    return code


def _country_or_none(text: str) -> str:
    return _country(text) if text else ""


def _store_url(text: str) -> str:
    # First: what follows may repeat the text.
    if _PASSWORD_IN_URL.match(text) and not text.startswith(SQLITE_PREFIX):
        raise ValueError(
            "a password is never written into the URL; put a reference to it into store.password"
        )
    if not text.startswith((SQLITE_PREFIX, POSTGRES_PREFIX)):
        raise ValueError(
            f"the store is kept in SQLite ({SQLITE_PREFIX}incident.db)"
            f" or in PostgreSQL ({POSTGRES_PREFIX}user@host:5432/database)"
        )
    return text


Country = Annotated[str, AfterValidator(_country)]
CountryOrPart = Annotated[str, AfterValidator(_country_or_part)]
SecretReference = Annotated[str, AfterValidator(_secret_reference)]
Host = Annotated[str, AfterValidator(_host)]
TimeOfDaySpan = Annotated[str, AfterValidator(_time_of_day_span)]
"""A time of every day as `22:00-08:00`, over midnight where it ends earlier than it begins; empty: none."""
ZoneName = Annotated[str, AfterValidator(_known_zone)]
CountryOrNone = Annotated[str, AfterValidator(_country_or_none)]
LanguageTags = Annotated[list[str], AfterValidator(_languages)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
