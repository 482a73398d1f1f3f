"""The API as a process of its own: python -m tests.support.twilio --port P --record FILE [--options JSON]

The port is the first line of stdout. FILE gets one JSON object a line ("taken" and "called" for messages and calls,
"refused", and "told"), each before the other side can know of it; "over", with what a person heard, comes after a call.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import Options
from tests.support.twilio.server import serve


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--options", type=Options.of_json, default=Options())
    asked = parser.parse_args()
    asked.record.touch()
    api = TwilioApi(asked.options, asked.record)
    server = serve(api, asked.port)
    print(api.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
