"""An SMS gateway as the settings describe it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import SmsGatewaySettings
from incident.delivery.gateway_room import gateway_from
from incident.errors import BadInput
from notifiers.sms_gateway.gateway import Gateway
from tests.support.gateway_sendings import gateway_settings


def described(folder: Path, **more: Any) -> Gateway:
    settings = gateway_settings("aliyun", 1, folder / "secret", **more)["gateway"]
    return gateway_from(SmsGatewaySettings.model_validate(settings), root=folder)


@pytest.mark.parametrize("content", [None, "nothing"])
def test_certificates_that_are_none_are_told_before_anything_is_done(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput) as bad:
        described(tmp_path, tls=True, ca_file="ca.pem")
    assert "ca.pem" in bad.value.what


@pytest.mark.parametrize("seconds", [1, 30, 240])
def test_an_answer_is_waited_for_as_long_as_the_settings_say(tmp_path: Path, seconds: float) -> None:
    timeouts = described(tmp_path, reply_wait_seconds=seconds).timeouts
    assert timeouts.read == seconds
    assert timeouts.whole >= timeouts.connect + timeouts.write + timeouts.read
