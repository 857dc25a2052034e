"""A probe now and then, for as long as somebody reads: what availability is counted from."""

import json
import sys
import time
from typing import Any

from .session import Refused, refusal, timed


def watch(request: dict[str, Any]) -> None:
    """Connect every `interval` seconds and write a line for each attempt: ok, seconds, and the error.

    The beat is kept: a slow attempt delays none after it. Standard input closes when the reader is gone.
    """
    address, login, interval = request["endpoints"][0], request["logins"][0], request["interval"]
    due = time.monotonic()
    while True:
        entry: dict[str, Any]
        at = time.time()
        try:
            seconds, answer = timed(address, login)
            entry = {"ok": not answer["in_recovery"], "seconds": round(seconds, 4)}
            if answer["in_recovery"]:
                entry["error"] = "a standby answered where writes should go"
        except Refused as error:
            entry = {"ok": False} | refusal(error)
        try:
            print(json.dumps({"at": at} | entry), flush=True)  # noqa: T201
        except BrokenPipeError:
            sys.exit(0)
        due = max(due + interval, time.monotonic())
        time.sleep(due - time.monotonic())
