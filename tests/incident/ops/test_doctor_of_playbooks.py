"""What the settings name for playbooks is there before the day on which it is needed."""

from pathlib import Path

import pytest

from incident.ops.doctor import _playbooks
from incident.ops.examined import Examined, State
from incident.response.housework import House
from incident.settings import Playbooks
from tests.support.breaches import make_breach
from tests.support.sshd import make_key


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return make_breach(tmp_path_factory.mktemp("house")).house


def bad(house: House, **settings: object) -> list[Examined]:
    playbooks = Playbooks.model_validate(settings)
    changed = house.settings.model_copy(update={"playbooks": playbooks})
    looked_at = House(house.workspace, changed, house.store, house.clock)
    return [each for each in _playbooks(looked_at) if each.state is not State.OK]


def test_what_is_there_is_no_finding(house: House, tmp_path: Path) -> None:
    public = make_key(tmp_path / "key")
    (tmp_path / "known_hosts").write_text(f"db.example {public}\n")
    settings = {"secrets": {"ssh-key": f"file:{tmp_path}/key"}, "known_hosts": str(tmp_path / "known_hosts")}
    assert bad(house, **settings) == []


def test_a_secret_that_is_not_there_is_named_with_its_place(house: House) -> None:
    [one] = bad(house, secrets={"ssh-key": "file:/nowhere/key"})
    assert (one.what, one.state) == ("secrets of playbooks", State.FAIL)
    assert "ssh-key: file:/nowhere/key" in one.finding and "secrets.ssh-key" in one.next_step


@pytest.mark.parametrize("text", [None, "one-word\n"])
def test_a_file_of_known_hosts_that_cannot_be_read_fails(
    house: House, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "known_hosts"
    if text is not None:
        file.write_text(text)
    [one] = bad(house, known_hosts=str(file))
    assert (one.what, one.state) == ("known hosts", State.FAIL)


def test_certificates_that_are_none_fail(house: House, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    [one] = bad(house, ca_file=str(tmp_path / "ca.pem"))
    assert (one.what, one.state) == ("certificates", State.FAIL)
