"""What the kinds of organisations are called that a law may bind."""

from __future__ import annotations

from incident.record.facts import FrozenText
from incident.setting_values import OrganisationKind


def _title(chinese: str, english: str) -> FrozenText:
    return FrozenText({"zh-Hans": chinese, "en": english})


ORGANISATION_TITLES = {
    OrganisationKind.telecom_operator: _title("电信业务经营者", "telecom operators"),
    OrganisationKind.internet_service: _title("互联网信息服务提供者", "internet services"),
    OrganisationKind.platform_operator: _title("电子商务平台经营者", "operators of trading platforms"),
    OrganisationKind.central_enterprise: _title(
        "中央企业及其所属企业", "central enterprises and their subsidiaries"
    ),
    OrganisationKind.cii_operator: _title(
        "关键信息基础设施运营者", "operators of critical information infrastructure in China"
    ),
    OrganisationKind.industry_data_handler: _title(
        "工业和信息化领域数据处理者", "data handlers in industry and IT"
    ),
    OrganisationKind.payment_institution: _title("支付机构", "payment institutions"),
    OrganisationKind.nis2_entity: _title(
        "NIS2 指令所称重要或者关键实体", "essential and important entities under NIS2"
    ),
    OrganisationKind.trust_service_provider: _title("信任服务提供者", "trust service providers"),
    OrganisationKind.financial_entity: _title("DORA 条例所称金融实体", "financial entities under DORA"),
    OrganisationKind.digital_product_manufacturer: _title(
        "含数字元素产品的制造商", "manufacturers of products with digital elements"
    ),
    OrganisationKind.health_care_entity: _title(
        "HIPAA 覆盖实体及其业务伙伴", "HIPAA covered entities and their associates"
    ),
    OrganisationKind.nonbank_financial_institution: _title(
        "非银行金融机构（美国）", "non-bank financial institutions in the US"
    ),
    OrganisationKind.listed_company: _title("美国上市公司", "companies listed in the US"),
    OrganisationKind.critical_infrastructure_operator: _title(
        "关键基础设施营运者", "designated operators of critical infrastructure"
    ),
}


def organisations_in_words(kinds: tuple[OrganisationKind, ...]) -> FrozenText:
    """The kinds as a list, with the words that a workspace writes in its settings."""
    titles = [ORGANISATION_TITLES[kind] for kind in kinds]
    return FrozenText(
        {
            "zh-Hans": "、".join(
                f"{title['zh-Hans']}（{kind}）" for title, kind in zip(titles, kinds, strict=True)
            ),
            "en": ", ".join(f"{title['en']} ({kind})" for title, kind in zip(titles, kinds, strict=True)),
        }
    )
