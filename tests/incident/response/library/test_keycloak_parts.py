"""The parts that lock an account and ask for stronger sign-in, on a simulator of Keycloak's Admin REST API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incident.errors import BadInput
from incident.response.commands.going_out import GoingOut, host_rule
from incident.response.events import Outcome
from tests.support.clouds import Keycloak, User
from tests.support.parts import Carried, carry_out, part

LOCK, STEP_UP = "lock-account-keycloak", "step-up-authentication-keycloak"
EVE, ANN = "11036b97-0d3c-4922-9a9c-d3ae649c1d33", "22036b97-0d3c-4922-9a9c-d3ae649c1d33"
REALM = "staff/north"


@pytest.fixture
def keycloak() -> Iterator[Keycloak]:
    with Keycloak(REALM, User(EVE), User(ANN)) as service:
        yield service


def carry(service: Keycloak, name: str, *, answer: bool = False, **given: str) -> Carried:
    about = {"__keycloak_url__": service.url, "__realm__": REALM, "__user_id__": EVE}
    return carry_out(
        part(name),
        {**about, **given},
        rules=GoingOut(hosts=(host_rule("127.0.0.1"),)),
        secrets={"keycloak-token": service.token},
        answer=answer,
    )


def test_a_user_is_disabled_and_signed_out_and_enabled_again_once_undone(keycloak: Keycloak) -> None:
    done = carry(keycloak, LOCK)
    eve, ann = keycloak.users[EVE], keycloak.users[ANN]
    assert (done.outcome, done.asked) == (Outcome.succeeded, [])
    assert (eve.enabled, eve.sessions, ann.enabled, ann.sessions) == (False, 0, True, 2)
    assert done.measures() == ["contain.lock-account", "contain.terminate-session"]
    assert done.verified() == {"disable", "sign-out"}
    again = carry(keycloak, LOCK)
    assert again.outcome is Outcome.succeeded
    assert all(each.success for each in again.undo())
    assert not eve.enabled
    assert all(each.success for each in [*done.undo(), *done.undo()])
    assert eve.enabled


@pytest.mark.parametrize("broken", ["enabled", "logout"])
def test_what_keycloak_says_and_does_not_do_is_never_called_verified(broken: str, keycloak: Keycloak) -> None:
    keycloak.sticky.add(broken)
    done = carry(keycloak, LOCK)
    assert (done.outcome, done.asked, done.verified()) == (Outcome.failed, ["by-hand-after-all"], set())


def test_both_are_required_at_the_next_sign_in_and_taken_back_once_undone(keycloak: Keycloak) -> None:
    done = carry(keycloak, STEP_UP)
    eve = keycloak.users[EVE]
    assert (done.outcome, done.asked) == (Outcome.succeeded, [])
    assert (eve.required, eve.sessions, eve.enabled) == (["CONFIGURE_TOTP", "UPDATE_PASSWORD"], 0, True)
    assert done.measures() == ["contain.force-step-up-auth", "contain.terminate-session"]
    assert done.verified() == {"require", "sign-out"}
    assert all(each.success for each in done.undo())
    assert eve.required == []


def test_what_was_pending_before_is_never_lost_but_left_to_a_person(keycloak: Keycloak) -> None:
    eve = keycloak.users[EVE]
    eve.required = ["VERIFY_EMAIL"]
    done = carry(keycloak, STEP_UP, answer=True)
    assert "add-by-hand" in done.asked
    assert eve.required == ["VERIFY_EMAIL"]
    assert done.verified() == set()
    assert all(each.success for each in done.undo())
    assert eve.required == ["VERIFY_EMAIL"]


@pytest.mark.parametrize("name", [LOCK, STEP_UP])
def test_a_user_that_is_not_there_or_a_token_that_is_refused_is_a_question(
    name: str, keycloak: Keycloak
) -> None:
    assert carry(keycloak, name, __user_id__=EVE.replace("1", "3")).outcome is Outcome.failed
    keycloak.token = "another"
    done = carry_out(
        part(name),
        {"__keycloak_url__": keycloak.url, "__realm__": REALM, "__user_id__": EVE},
        rules=GoingOut(hosts=(host_rule("127.0.0.1"),)),
        secrets={"keycloak-token": "stolen"},
    )
    assert (done.outcome, done.asked, done.measures()) == (Outcome.failed, ["by-hand"], [])
    assert keycloak.users[EVE] == User(EVE)


@pytest.mark.parametrize("name", [LOCK, STEP_UP])
def test_a_hostile_realm_reaches_no_other_path(name: str, keycloak: Keycloak) -> None:
    for hostile in ("..", "staff/../master", f"north/users/{ANN}?", "a\r\nX: y", "%2e%2e", "a#"):
        assert carry(keycloak, name, __realm__=hostile).outcome is Outcome.failed
    assert {tuple(each.path.split("/")[:3]) for each in keycloak.asked} == {("", "admin", "realms")}
    assert {len(each.path.split("/")) for each in keycloak.asked} <= {5, 6, 7}
    assert (keycloak.users[EVE], keycloak.users[ANN]) == (User(EVE), User(ANN))
    with pytest.raises(BadInput):
        carry(keycloak, name, __user_id__=f"{EVE}/../{ANN}")
