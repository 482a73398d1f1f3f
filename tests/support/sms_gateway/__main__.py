"""A gateway as a process of its own, which outlives its senders: `python -m tests.support.sms_gateway --record FILE`.

Prints its port as the first line, then works until it gets a signal or its standard input ends. Faults are chosen by how
a number ends: `--fault 97=drop:taken --fault 13=code:isv.MOBILE_NUMBER_ILLEGAL`, each for the first `*N` sends if that
follows (`--fault 98=drop*1`).
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

import httpx

from tests.support.sms_gateway.server import Act, Answer, SmsGateway, sms_gateway


def _fault(gateway: SmsGateway, written: str) -> None:
    ending, _, what = written.partition("=")
    what, _, times = what.partition("*")
    act, *more = what.split(":")
    code = more[0] if act == Act.code else ""
    answer = Answer(Act(act), code=code, status=503 if act == Act.status else 200, taken="taken" in more)
    gateway.answer_with(answer, ending=ending, times=int(times) if times else None)


def _keep_pushing(gateway: SmsGateway, url: str, ended: threading.Event) -> None:
    told = 0
    while not ended.wait(0.1):
        fresh = gateway.taken[told:]
        try:
            told += len(fresh) if fresh and gateway.push(url, fresh) else 0
        except (OSError, httpx.HTTPError):
            continue


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dialect", choices=("aliyun", "tencent"), default="aliyun")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--push-to", default="")
    chosen = parser.parse_args()
    ended = threading.Event()
    with sms_gateway(chosen.dialect, port=chosen.port, record=chosen.record) as gateway:
        for written in chosen.fault:
            _fault(gateway, written)
        if chosen.push_to:
            threading.Thread(target=_keep_pushing, args=(gateway, chosen.push_to, ended), daemon=True).start()
        print(gateway.port, flush=True)
        sys.stdin.read()
        ended.set()


main()
