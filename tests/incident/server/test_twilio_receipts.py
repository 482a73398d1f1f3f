"""What is posted to /receipts/sms/ID.MAC in Twilio's name: taken where Twilio signed it and the address is ours."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlmodel import select
from twilio.request_validator import RequestValidator

from incident.delivery.sms_parts import TAKEN
from incident.delivery.states import Rank
from incident.delivery.twilio_room import twilio_from
from incident.errors import BadInput
from incident.response.housework import House
from incident.server.receipts import receipt_routes, receipt_routes_or_none
from incident.store.tables import JournalEntry, Receipt
from tests.support.breaches import Breach
from tests.support.sms_sendings import by_sms_only
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import OTHER_TOKEN, TOKEN, Progress
from tests.support.twilio.server import twilio_api
from tests.support.twilio_sendings import callbacks_at_hand, secret_file, twilio_breach

PUBLIC = "https://notices.example/in/receipts/sms"


@dataclass
class Served:
    """A breach of which one SMS was taken, and the server that takes callbacks of it behind a proxy."""

    breach: Breach
    api: TwilioApi
    port: int
    form: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The public one, as the message named it."""
        return self.api.taken[0].callback

    def post(
        self,
        *,
        address: str = "",
        form: dict[str, str] | None = None,
        token: str = TOKEN,
        signature: str | None = None,
        signed: str = "",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        """Post a callback; what is not said is as Twilio does it."""
        address, form = address or self.address, form or self.form
        if signature is None:
            signature = RequestValidator(token).compute_signature(signed or address, form)
        reached = address.replace(PUBLIC, f"http://127.0.0.1:{self.port}/receipts/sms", 1)
        sent = {
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "x-twilio-signature": signature,
            **(headers or {}),
        }
        content = urllib.parse.urlencode(form).encode() if body is None else body
        answer = httpx.post(reached, content=content, headers=sent, trust_env=False)
        assert answer.status_code != 204 or answer.content == b""
        return answer.status_code

    @property
    def rank(self) -> int:
        [delivery] = self.breach.deliveries()
        return delivery.rank

    @property
    def journalled(self) -> int:
        with self.breach.made.store.read() as session:
            return len(session.exec(select(JournalEntry).where(JournalEntry.kind == TAKEN)).all())

    @property
    def receipts(self) -> int:
        with self.breach.made.store.read() as session:
            return len(session.exec(select(Receipt)).all())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with callbacks_at_hand() as callbacks, twilio_api(progress=Progress(held=True)) as api:
        breach = twilio_breach(
            tmp_path,
            by_sms_only(1),
            twilio_port=api.port,
            twilio={
                "callback_url": PUBLIC,
                "callback_token_before": secret_file(tmp_path, "before", OTHER_TOKEN),
            },
        )
        breach.work()
        with callbacks.served(breach.house):
            form = api.callback_form(api.taken[0], "delivered", None)
            yield Served(breach, api, callbacks.port, form)


def test_a_callback_behind_a_proxy_is_taken(served: Served) -> None:
    assert served.rank == Rank.NOTHING
    assert served.post() == 204
    assert served.rank == Rank.DELIVERED


def test_one_that_the_token_before_signed_is_taken_too(served: Served) -> None:
    assert served.post(token=OTHER_TOKEN) == 204
    assert served.rank == Rank.DELIVERED


def test_what_is_known_already_is_not_journalled_again(served: Served) -> None:
    sent = {**served.form, "MessageStatus": "sent", "SmsStatus": "sent"}
    queued = {**sent, "MessageStatus": "queued", "SmsStatus": "queued"}
    for form, entries in ((queued, 1), (sent, 1), (served.form, 2), (served.form, 2), (sent, 2)):
        assert served.post(form=form) == 204
        assert served.journalled == entries


def test_said_again_it_changes_nothing(served: Served) -> None:
    assert [served.post() for _ in range(3)] == [204, 204, 204]
    assert (served.rank, served.receipts) == (Rank.DELIVERED, 1)
    earlier = {
        **served.form,
        "MessageStatus": "undelivered",
        "SmsStatus": "undelivered",
        "ErrorCode": "30005",
    }
    assert served.post(form=earlier) == 204
    assert served.rank == Rank.DELIVERED


def test_what_twilio_did_not_sign_is_refused(served: Served) -> None:
    good = RequestValidator(TOKEN).compute_signature(served.address, served.form)
    assert served.post(token="a guess") == 403
    assert served.post(signature="") == 403
    assert served.post(signature=good, form={**served.form, "MessageStatus": "undelivered"}) == 403
    assert served.post(signature=good, form={**served.form, "More": "1"}) == 403
    assert served.post(signature=good, address=f"{served.address}?x=1", form=served.form) == 403
    assert (served.rank, served.receipts) == (Rank.NOTHING, 0)


def test_what_was_signed_for_another_host_is_refused_whatever_headers_say(served: Served) -> None:
    elsewhere = served.address.replace("notices.example", "elsewhere.example")
    headers = {"host": "elsewhere.example", "x-forwarded-host": "elsewhere.example"}
    assert served.post(signed=elsewhere, headers=headers) == 403
    assert served.post(headers=headers) == 204


def test_a_query_is_part_of_what_is_signed(served: Served) -> None:
    assert served.post(address=f"{served.address}?a=1&b=%20") == 204


def test_an_address_that_we_did_not_make_is_none(served: Served) -> None:
    base, _, last = served.address.rpartition("/")
    id_, _, mac = last.rpartition(".")
    other = "a" if mac[-1] != "a" else "b"
    for wrong in (f"{id_}.{mac[:-1]}{other}", f"{id_}1.{mac}", f"{id_}.", id_, mac, "x" * 4000):
        assert served.post(address=f"{base}/{wrong}") == 404
    assert served.receipts == 0


def test_what_is_no_callback_ends_in_no_500(served: Served) -> None:
    assert served.post(body=b"x" * (64 * 1024 + 1)) == 413
    assert served.post(body=b"\xff\xfe") == 400
    assert served.post(form={"MessageSid": "SM1"}) == 400
    assert served.post(form={**served.form, "MessageStatus": "", "SmsStatus": ""}) == 400
    assert served.receipts == 0


def test_one_about_another_number_changes_nobody(served: Served) -> None:
    assert served.post(form={**served.form, "To": "+15005550009"}) == 204
    assert served.rank == Rank.NOTHING


def test_addresses_hold_over_a_restart_and_a_change_of_the_token(served: Served, tmp_path: Path) -> None:
    declared = served.breach.house.settings.sms.twilio
    assert declared is not None
    root = served.breach.made.workspace.root
    [delivery] = served.breach.deliveries()
    own_id = f"{delivery.id}/1"
    assert twilio_from(declared, root=root).own_id_at(served.address) == own_id
    changed = declared.model_copy(
        update={
            "callback_token": secret_file(tmp_path, "new", "new-t0ken"),
            "callback_token_before": secret_file(tmp_path, "old", TOKEN),
        }
    )
    assert twilio_from(changed, root=root).own_id_at(served.address) == own_id
    later = changed.model_copy(update={"callback_token_before": None})
    assert twilio_from(later, root=root).own_id_at(served.address) is None


def test_without_callbacks_nothing_is_served_and_a_wrong_setting_is_told(tmp_path: Path) -> None:
    with twilio_api() as api:
        breach = twilio_breach(tmp_path, by_sms_only(1), twilio_port=api.port, opens=False)
    assert receipt_routes(breach.house) == []
    house = breach.house
    declared = house.settings.sms.twilio
    assert declared is not None
    without_token = declared.model_copy(update={"callback_url": PUBLIC})
    sms = house.settings.sms.model_copy(update={"twilio": without_token})
    settings = house.settings.model_copy(update={"sms": sms})
    wrong = House(house.workspace, settings, house.store, house.clock)
    with pytest.raises(BadInput) as bad:
        receipt_routes(wrong)
    assert "no auth token is given" in bad.value.what and "[sms.twilio]" in str(bad.value)
    said: list[str] = []
    assert receipt_routes_or_none(wrong, said.append) == []
    assert "[sms.twilio]" in said[0]
