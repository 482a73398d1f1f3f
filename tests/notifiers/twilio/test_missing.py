"""Twilio's package is heavy and an extra: nothing imports it before it is used."""

from __future__ import annotations

import subprocess
import sys


def printed(program: str) -> str:
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def test_help_does_not_import_it() -> None:
    program = (
        "import contextlib, io, sys\n"
        "from incident.cli.main import main\n"
        "sys.argv = ['incident', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):\n main()\n"
        "assert 'Usage' in said.getvalue()\n"
        "print([each for each in ('twilio', 'aiohttp', 'requests') if each in sys.modules])\n"
    )
    assert printed(program) == "[]\n"


def test_making_a_client_does_not_import_it_and_opening_one_does() -> None:
    program = (
        "import asyncio, sys\n"
        "from tests.support.twilio.script import ACCOUNT, KEY_SECRET, KEY_SID, SERVICE\n"
        "from notifiers.twilio.account import TwilioAccount\n"
        "from notifiers.twilio.client import TwilioClient\n"
        "account = TwilioAccount(ACCOUNT, SERVICE, KEY_SID, KEY_SECRET)\n"
        "client = TwilioClient(account, callback_key=b'k')\n"
        "print('twilio' in sys.modules)\n"
        "asyncio.run(client.open())\n"
        "print('twilio' in sys.modules)\n"
    )
    assert printed(program) == "False\nTrue\n"


def test_without_it_the_missing_package_is_named() -> None:
    program = (
        "import asyncio, sys; sys.modules['twilio'] = None; sys.modules['twilio.rest'] = None\n"
        "from notifiers.errors import CarrierMissing\n"
        "from notifiers.twilio.account import TwilioAccount\n"
        "from notifiers.twilio.client import TwilioClient\n"
        "from tests.support.twilio.script import ACCOUNT, KEY_SECRET, KEY_SID, SERVICE\n"
        "account = TwilioAccount(ACCOUNT, SERVICE, KEY_SID, KEY_SECRET)\n"
        "try:\n asyncio.run(TwilioClient(account, callback_key=b'k').open())\n"
        "except CarrierMissing as missing:\n print(missing.package)\n"
    )
    assert printed(program) == "twilio\n"


def test_making_a_client_for_calls_does_not_import_it_either() -> None:
    program = (
        "import asyncio, sys\n"
        "from notifiers.twilio import call_callbacks, twiml\n"
        "from tests.support.twilio.sending import a_call, a_call_client\n"
        "sys.modules.pop('twilio', None)\n"
        "client = a_call_client(1)\n"
        "client.must_take(a_call())\n"
        "print('twilio' in sys.modules)\n"
    )
    assert printed(program) == "False\n"
