from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from notifiers.errors import BadAddress
from notifiers.outcome import Result, Stage
from notifiers.responders import SCHEMES, Message, check_url, masked, send
from tests.support.chat_desks import ChatDesk, chat_desk
from tests.support.relays import free_port, recording_relay

CALL = Message("INC-2026-0001", "INC-2026-0001 needs you")


@pytest.fixture
def desk() -> Iterator[ChatDesk]:
    with chat_desk() as made:
        yield made


def test_a_message_reaches_a_chat_service(desk: ChatDesk) -> None:
    outcome = send(CALL, desk.url())
    assert (outcome.result, outcome.stage, outcome.peer) == (Result.accepted, Stage.reply, "json://127.0.0.1")
    [told] = desk.told
    assert (told["title"], told["message"]) == ("INC-2026-0001", "INC-2026-0001 needs you")
    assert desk.paths == ["/hook/s3cr3t-token"]


def test_a_message_reaches_a_mailbox() -> None:
    with recording_relay() as relay:
        url = f"mailto://127.0.0.1:{relay.port}?from=desk@example.org&to=bo@example.org&mode=insecure"
        outcome = send(CALL, url)
        [mail] = relay.taken
    assert outcome.result is Result.accepted, outcome
    assert (mail.to, mail.message["Subject"]) == ("bo@example.org", "INC-2026-0001")
    assert "needs you" in mail.message.as_string()


def test_a_service_that_says_no_refused_it(desk: ChatDesk) -> None:
    desk.answers = 403
    outcome = send(CALL, desk.url())
    assert (outcome.result, outcome.stage) == (Result.permanent, Stage.reply)
    assert "403" in outcome.text


def test_a_mailbox_that_is_refused_is_refused() -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "550 5.1.1 unknown"
        url = f"mailto://127.0.0.1:{relay.port}?from=desk@example.org&to=bo@example.org&mode=insecure"
        outcome = send(CALL, url)
    assert (outcome.result, outcome.stage, outcome.code) == (Result.permanent, Stage.rcpt, 550)


def test_a_mail_server_that_refuses_the_sender_refused_it() -> None:
    with recording_relay() as relay:
        relay.at_mail = lambda sender: "554 5.7.1 no"
        url = f"mailto://127.0.0.1:{relay.port}?from=desk@example.org&to=bo@example.org&mode=insecure"
        outcome = send(CALL, url)
    assert (outcome.result, outcome.stage, outcome.code) == (Result.permanent, Stage.reply, 554)


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:{port}/x",
        "mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org&mode=insecure",
    ],
)
def test_where_nobody_listens_nothing_was_sent(url: str) -> None:
    outcome = send(CALL, url.format(port=free_port()))
    assert (outcome.result, outcome.stage) == (Result.not_sent, Stage.connect)


def test_a_service_that_never_answers_may_have_taken_it(desk: ChatDesk) -> None:
    desk.silent = threading.Event()
    outcome = send(CALL, desk.url(), timeout=0.3)
    assert (outcome.result, outcome.stage) == (Result.ambiguous, Stage.after_dot)


def test_a_timeout_in_the_url_does_not_hold(desk: ChatDesk) -> None:
    desk.silent = threading.Event()
    assert send(CALL, f"{desk.url()}?rto=300&cto=300", timeout=0.3).result is Result.ambiguous


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "no URL"),
        ("bo@example.org", "no URL"),
        ("json://127.0.0.1/a b", "one word"),
        ("json://127.0.0.1/a\nb", "one word"),
        ("json://127.0.0.1/" + "x" * 2000, "one word"),
        ("json://", "nothing stands after"),
        ("syslog://localhost", "the scheme"),
        ("windows://", "the scheme"),
        ("dbus://", "the scheme"),
        ("file:///etc/passwd", "the scheme"),
        ("workflows://h.example/abcdef12/sig?template=/etc/passwd", "names a file"),
        ("mailto://a:b@example.org?pgppub=/etc/passwd", "names a file"),
    ],
)
def test_what_may_not_be_called_is_refused_before_anything_is_sent(url: str, says: str) -> None:
    for refuse in (check_url, lambda each: send(CALL, each)):
        with pytest.raises(BadAddress, match=says):
            refuse(url)


@pytest.mark.parametrize(
    "url",
    [
        "wecombot://!!!",
        "slack://incomplete",
        "https://example.org/hook",
        "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    ],
)
def test_what_its_service_does_not_take_is_refused_and_its_secret_not_told(url: str) -> None:
    with pytest.raises(BadAddress) as refused:
        send(CALL, url)
    assert url.partition("://")[2] not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "wecombot://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
        "dingtalk://secret@abcdef1234567890",
        "feishu://abcdef1234567890",
        "lark://abcdef1234567890",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944438d68119179a10a64/sigNature12345",
        "mailto://user:pass@example.org",
        "mailtos://user:pass@example.org",
        "jsons://example.org/hook",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7a3c-4bc4-97a0-0ec2sifa5aaa",
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "ntfys://ntfy.example.org/night-desk",
        "mmosts://example.org/3ccdd113474722377935511fc85d3dd4",
    ],
)
def test_the_services_that_people_use_are_known_to_apprise(url: str) -> None:
    from notifiers.responders import _plugin

    check_url(url)
    assert _plugin(url) is not None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wecombot://693axxx6-7aoc", "wecombot://…"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/x", "slack://…"),
        ("twilio://sid:token@15551234567", "twilio://…"),
        ("mailto://user:pass@example.org?to=bo@example.org", "mailto://example.org"),
        ("jsons://user:pass@example.org:8443/hook?key=1", "jsons://example.org"),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1", "https://qyapi.weixin.qq.com"),
        ("dingtalk://[odd", "dingtalk://…"),
        ("no url", "…"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_secret(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_neither_outcome_nor_logs_hold_the_url(desk: ChatDesk) -> None:
    """In a process of its own that logs all there is to log."""
    program = (
        "import logging; logging.basicConfig(level=logging.DEBUG)\n"
        "from notifiers.errors import BadAddress\n"
        "from notifiers.responders import Message, send\n"
        "import sys\n"
        "for url in sys.argv[1:]:\n"
        "    try: print(send(Message('a', 'INC-2026-0001 needs you'), url))\n"
        "    except BadAddress as bad: print(bad)\n"
        "logging.getLogger('ours').warning('heard')\n"
    )
    urls = [desk.url(), desk.url("/gone/s3cr3t-token"), "wecombot://s3cr3t!!", "slack://s3cr3t"]
    urls.append(f"json://user:pa55word@127.0.0.1:{free_port()}/hook/s3cr3t-token")
    desk.refuses = "/gone"
    done = subprocess.run([sys.executable, "-c", program, *urls], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == len(urls)
    assert len(desk.told) == 2
    assert "heard" in done.stderr
    for secret in ("s3cr3t", "pa55word", "needs you"):
        assert secret not in done.stdout + done.stderr


def test_two_sends_at_once_do_not_hear_each_other(desk: ChatDesk) -> None:
    desk.silent = threading.Event()
    outcomes: dict[str, Result] = {}

    def call(name: str, url: str) -> None:
        outcomes[name] = send(CALL, url, timeout=1.0).result

    threads = [
        threading.Thread(target=call, args=("silent", desk.url())),
        threading.Thread(target=call, args=("nobody", f"json://127.0.0.1:{free_port()}")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"silent": Result.ambiguous, "nobody": Result.not_sent}


def test_no_scheme_that_acts_on_this_machine_is_taken() -> None:
    """What Apprise offers that is no message over the network to somebody."""
    assert not SCHEMES & {"syslog", "dbus", "qt", "kde", "gnome", "glib", "windows", "macosx", "exec", "file"}


def test_without_apprise_the_missing_package_is_named() -> None:
    """In a process of its own, in which no such package can be imported."""
    program = (
        "import sys; sys.modules['apprise'] = None\n"
        "from notifiers.errors import CarrierMissing\n"
        "from notifiers.responders import Message, check_url, send\n"
        "check_url('json://127.0.0.1')\n"
        "try: send(Message('a', 'b'), 'json://127.0.0.1')\n"
        "except CarrierMissing as missing: print(missing.package)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("apprise\n", "")
