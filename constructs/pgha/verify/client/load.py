"""Statements at a fixed rate over many connections, each timed from when it should have begun."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pg8000.native import Connection

from .session import Address, Refused, connect, refusal

_OPENERS = 16

READS = "SELECT relname::text FROM pg_class WHERE oid = {n}"
COMMITS = "SELECT pg_logical_emit_message(true, 'pgha_verify', '{n}')::text"
"""A transaction that is committed and replicated like any other, and changes no table."""


def open_many(address: Address, login: dict[str, Any], count: int) -> tuple[list[Connection], list[dict[str, Any]]]:
    """That many connections at once, and the refusals."""

    def one(_: int) -> Connection | dict[str, Any]:
        try:
            return connect(address, login)
        except Refused as error:
            return refusal(error)

    with ThreadPoolExecutor(_OPENERS) as pool:
        found = list(pool.map(one, range(count)))
    refused = [each for each in found if isinstance(each, dict)]
    return [each for each in found if isinstance(each, Connection)], refused


def close(connections: Sequence[Connection]) -> None:
    """Close them all, also those whose server is gone."""
    for connection in connections:
        try:
            connection.close()
        except Refused:
            continue


def run(connections: Sequence[Connection], *, rate: float, seconds: float, statements: Sequence[str]) -> dict[str, Any]:
    """`rate` statements a second in all, taken in turn from `statements`, spread over the connections.

    Returns latencies (ms, sorted), how many statements, and the errors. A statement that begins late because the one
    before it was slow is timed from when it was due: a stall counts for everybody whom it kept waiting.
    """
    latencies: list[float] = []
    errors: list[dict[str, Any]] = []
    guard = threading.Lock()
    total = int(rate * seconds)
    begun = time.monotonic() + 0.2

    def work(worker: int) -> None:
        mine: list[float] = []
        for number in range(worker, total, len(connections)):
            due = begun + number / rate
            early = due - time.monotonic()
            if early > 0:
                time.sleep(early)
            started = time.monotonic() if early > 0 else due
            try:
                connections[worker].run(statements[number % len(statements)].format(n=number + 1))
            except Refused as error:
                with guard:
                    errors.append(refusal(error))
                break
            mine.append((time.monotonic() - started) * 1000)
        with guard:
            latencies.extend(mine)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    return {
        "connections": len(connections),
        "rate": rate,
        "statements": len(latencies),
        "seconds": round(took, 2),
        "milliseconds": [round(value, 2) for value in sorted(latencies)],
        "errors": errors[:5],
        "failed": len(errors),
    }
