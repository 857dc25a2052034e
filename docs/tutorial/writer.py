"""A client on the LAN that never stops writing, and counts what became of its writes.

    python docs/tutorial/writer.py --seconds 30

Reads libpq's environment variables (PGHOST, PGUSER, PGDATABASE, PGPASSWORD). Every row that it was told is stored goes
into a ledger; at the end, or at Ctrl-C, it asks the database for all of them, and says how long the longest pause
between two stored writes was.
"""

import argparse
import contextlib
import os
import time

import psycopg

# Both are needed: one ends a wait for an answer, the other a wait for an acknowledgement of what was sent.
PATIENCE = "connect_timeout=2 tcp_user_timeout=2000 keepalives_idle=1 keepalives_interval=1 keepalives_count=2"
PAUSE = 0.05


def write_for(seconds: float, run: str) -> tuple[set[int], float]:
    """Insert numbered rows for so long; return the acknowledged numbers and the longest gap between two, in seconds."""
    acknowledged: set[int] = set()
    longest, last, number = 0.0, time.monotonic(), 0
    end = last + seconds
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            try:
                with psycopg.connect(PATIENCE, autocommit=True) as connection:
                    while time.monotonic() < end:
                        number += 1
                        connection.execute("insert into written (run, number) values (%s, %s)", (run, number))
                        now = time.monotonic()
                        if now - last > 1:
                            print(f"  {time.strftime('%H:%M:%S')} stored again after {now - last:.1f} s", flush=True)
                        longest, last = max(longest, now - last), now
                        acknowledged.add(number)
                        time.sleep(PAUSE)
            except psycopg.Error as error:
                print(f"  {time.strftime('%H:%M:%S')} {str(error).splitlines()[0]}", flush=True)
                time.sleep(0.2)
    return acknowledged, longest


def main() -> None:
    """Write, then compare the ledger with the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    run = f"{os.getpid()}-{time.time_ns()}"
    with psycopg.connect(PATIENCE, autocommit=True) as connection:
        connection.execute("create table if not exists written (run text, number int, primary key (run, number))")
    acknowledged, longest = write_for(seconds, run)
    with psycopg.connect(PATIENCE, autocommit=True) as connection:
        found = {row[0] for row in connection.execute("select number from written where run = %s", (run,))}
    lost = len(acknowledged - found)
    print(f"acknowledged {len(acknowledged)}, found {len(found)}, lost {lost}, longest gap {longest:.1f} s")


if __name__ == "__main__":
    main()
