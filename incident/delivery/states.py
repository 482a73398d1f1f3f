"""The states of a delivery and of a campaign, and the sums that must always hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNREACHABLE = "unreachable"


IN_PROGRESS = frozenset({DeliveryState.PENDING, DeliveryState.SENDING})
SETTLED = frozenset({DeliveryState.ACCEPTED, DeliveryState.UNREACHABLE})


class Rank(IntEnum):
    """What a receipt proves of a message. A delivery has the highest of all, in whatever order they come.

    That it was delivered outweighs that it came back: of two copies one may have been returned.
    """

    NOTHING = 0
    HANDED_ON = 1
    RETURNED = 2
    DELIVERED = 3
    DISPLAYED = 4
    ACKNOWLEDGED = 5


class Why(StrEnum):
    """Why a person was not reached over a channel. Those of `NOT_WRITTEN_TO` are a list for people to work on."""

    NONE = ""
    NO_EMAIL = "no_email"
    RECYCLED_NUMBER = "recycled_number"
    DECEASED = "deceased"
    ORGANISATION = "organisation"
    SAFE_CONTACT = "safe_contact"
    REFUSED = "refused"
    BLOCKED = "blocked"
    BAD_ADDRESS = "bad_address"
    UNFIT = "unfit"
    RETURNED = "returned"
    NO_ANSWER = "no_answer"
    DAMAGED = "damaged"
    REPLACED = "replaced"
    SUPPRESSED = "suppressed"
    PASSED_ON = "passed_on"
    CONTROLLED = "controlled"


NOT_WRITTEN_TO = frozenset({Why.DECEASED, Why.ORGANISATION, Why.SAFE_CONTACT})
"""A letter to the dead hurts their family, a version without words for an organisation is written for people, and where
the list says how somebody may be contacted without danger only a person can read it: no message is made for them."""

NEVER_TRIED = NOT_WRITTEN_TO | {Why.NO_EMAIL, Why.RECYCLED_NUMBER, Why.SUPPRESSED}
"""The reasons that stand when sending begins."""

OF_A_RETURN = (Why.NO_ANSWER, Why.RETURNED, Why.BLOCKED, Why.BAD_ADDRESS)
"""The reasons that a returned message gives; of several, the later in this order."""

WHY_TEXTS: dict[Why, dict[str, str]] = {
    Why.NO_EMAIL: {"zh-Hans": "没有邮箱地址", "en": "no e-mail address"},
    Why.RECYCLED_NUMBER: {
        "zh-Hans": "没有邮箱地址，号码在泄露停止之后才归此人使用",
        "en": "no e-mail address, and a number that came to this person after the leak",
    },
    Why.DECEASED: {"zh-Hans": "已故，不发送通知", "en": "deceased: not written to"},
    Why.ORGANISATION: {
        "zh-Hans": "单位，这一版告知书没有面向单位的文字，不发送通知",
        "en": "an organisation, and this version has no words for one: not written to",
    },
    Why.SAFE_CONTACT: {
        "zh-Hans": "名单注明了安全联系方式，请人工告知",
        "en": "the list says how to contact them safely: to be told by hand",
    },
    Why.REFUSED: {"zh-Hans": "对方邮件服务器拒收", "en": "the mail server refused it"},
    Why.BLOCKED: {"zh-Hans": "被对方的策略拦截", "en": "blocked by a policy of the mail server"},
    Why.BAD_ADDRESS: {"zh-Hans": "邮箱地址不可用", "en": "the address cannot be used"},
    Why.UNFIT: {
        "zh-Hans": "此人的文字无法由该渠道发送",
        "en": "the carrier cannot take this text as it is",
    },
    Why.RETURNED: {"zh-Hans": "邮件被退回", "en": "accepted first, then returned undelivered"},
    Why.NO_ANSWER: {"zh-Hans": "多次发送仍未被接收", "en": "tried several times, never accepted"},
    Why.DAMAGED: {"zh-Hans": "此人的记录已损坏，无法读取", "en": "the record of this person is damaged"},
    Why.REPLACED: {"zh-Hans": "改由后续版本告知", "en": "told by a later version instead"},
    Why.SUPPRESSED: {
        "zh-Hans": "此前的邮件因邮箱地址不可用被退回，不再发往该地址",
        "en": "an earlier version came back from this address as dead: not tried again",
    },
    Why.PASSED_ON: {
        "zh-Hans": "客服已转交，请人工跟进",
        "en": "passed on by the call centre: somebody takes care of it",
    },
    Why.CONTROLLED: {
        "zh-Hans": "已被接收，但攻击者可能控制了该渠道",
        "en": "accepted, over a means that an attacker may control",
    },
}


EMAIL = "email"
SMS = "sms"
PHONE = "phone"
CHANNELS = (EMAIL, SMS, PHONE)
"""The means by which a delivery of ours tells somebody."""

CHANNEL_TEXTS: dict[str, dict[str, str]] = {
    EMAIL: {"zh-Hans": "电子邮件", "en": "e-mail"},
    SMS: {"zh-Hans": "短信", "en": "SMS"},
    PHONE: {"zh-Hans": "电话", "en": "phone"},
}

_SMS_WHY_TEXTS: dict[Why, dict[str, str]] = {
    Why.REFUSED: {"zh-Hans": "短信通道拒收", "en": "the SMS carrier refused it"},
    Why.UNFIT: {
        "zh-Hans": "此人的短信与已报备的模板不符",
        "en": "the text for this person does not fit the registered template",
    },
    Why.BAD_ADDRESS: {"zh-Hans": "号码不可用", "en": "the number cannot be used"},
    Why.RETURNED: {"zh-Hans": "短信未能送达手机", "en": "accepted first, then reported as not delivered"},
}
_PHONE_WHY_TEXTS: dict[Why, dict[str, str]] = {
    Why.REFUSED: {"zh-Hans": "对方不愿接听", "en": "they did not want to hear it"},
    Why.BAD_ADDRESS: {
        "zh-Hans": "号码不可用，或者不属于此人",
        "en": "the number cannot be used, or is somebody else's",
    },
    Why.BLOCKED: {
        "zh-Hans": "通道未开通拨打该国家或者地区的号码",
        "en": "the carrier may not call where the number is",
    },
    Why.NO_ANSWER: {"zh-Hans": "没有接听，或者没有告知到本人", "en": "not answered, or not told in person"},
    Why.UNFIT: {
        "zh-Hans": "名单上没有姓名，或者没有可以朗读此人文字的语音",
        "en": "no name to ask for, or no voice that can say the words for this person",
    },
    Why.RETURNED: {"zh-Hans": "没有告知到本人", "en": "called, and not told in person"},
}
_WHY_TEXTS_OF = {SMS: _SMS_WHY_TEXTS, PHONE: _PHONE_WHY_TEXTS}


def why_text(why: Why, channel: str, language: str) -> str:
    """Why somebody was not reached over a channel, for people."""
    return (_WHY_TEXTS_OF.get(channel, {}).get(why) or WHY_TEXTS[why])[language]


@dataclass(frozen=True)
class Failed:
    """A means that failed before the present one took over, and why."""

    channel: str
    why: Why

    def __str__(self) -> str:
        return f"{self.channel}:{self.why}"


def failed_before(tried_before: str) -> tuple[Failed, ...]:
    """What `Delivery.tried_before` keeps, the first means first."""
    parts = (each.partition(":") for each in tried_before.split(",") if each)
    return tuple(Failed(channel, Why(why)) for channel, _, why in parts)


def written_failed(failed: Sequence[Failed]) -> str:
    """The same as it is kept."""
    return ",".join(map(str, failed))


NEVER_MOVED = ("", str(Failed(EMAIL, Why.SUPPRESSED)))
"""What `Delivery.tried_before` is of whoever did not go on after a means had failed in this sending."""


class CampaignState(StrEnum):
    """`REPLACED`: a later version goes out. Nothing more of this one leaves, and it ends once what left is settled."""

    SENDING = "sending"
    PAUSED = "paused"
    REPLACED = "replaced"
    ENDED = "ended"


BRAKED = frozenset({CampaignState.PAUSED, CampaignState.REPLACED})
"""The states in which the campaign's own brake is on."""


class Addressee(StrEnum):
    """Whom a delivery goes to: the person concerned, or the guardian of a minor."""

    PERSON = "person"
    GUARDIAN = "guardian"


# The bucket of messages a second that all workers share.
MAIL_LIMIT = "mail"
DOMAIN_LIMITS = f"{MAIL_LIMIT}/"
"""The buckets of messages to one domain are named by it, in lower case and in ASCII."""
RELAY_LIMITS = "relay/"
"""The buckets of messages over one relay are named by its host:port."""


def campaign_brake(campaign_id: str) -> str:
    """The name of the brake that holds one campaign."""
    return f"campaign/{campaign_id}"


BATCH_JOB = "delivery.batch"
"""Sends the e-mails of a batch."""
SMS_JOB = "delivery.sms"
"""Sends the SMS of a batch."""
CALL_JOB = "delivery.call"
"""Has a machine call the people of a batch."""
CALL_LIST_JOB = "delivery.call_list"
"""Closes a list of the call centre's when its results are due."""
JOB_OF = {EMAIL: BATCH_JOB, SMS: SMS_JOB, PHONE: CALL_JOB}
"""The job that tells the people of a batch over each channel."""
SETTLE_JOB = "delivery.settle"
WAVE_JOB = "delivery.wave"
PUBLISH_JOB = "notice.publish"
