"""What dies, and what a client on the LAN notices of it. benchmarks/outage.py makes it happen and counts."""

import re
from collections.abc import Iterator

import pytest
from running_lab import Database, run

pytestmark = pytest.mark.lab

ROW = re.compile(r"^running +(?P<cause>\S+) +\S+ +(?P<median>[\d.]+) +(?P<worst>[\d.]+) +(?P<lost>\d+) ", re.MULTILINE)


@pytest.fixture
def put_back(whole: Database) -> Iterator[None]:
    yield
    again = run("make", "--no-print-directory", "up")  # asynchronous, as its file says
    assert again.code == 0, again.out


@pytest.mark.parametrize(
    "causes", ["node-with-operator", pytest.param("pod,switchover,rollout,node", marks=pytest.mark.long)]
)
def test_no_acknowledged_write_is_lost(put_back: None, causes: str, figures: list[str]) -> None:
    done = run(".venv/bin/python", "benchmarks/outage.py", "--running", "--runs=1", f"--causes={causes}")
    assert done.code == 0, done.out
    rows = {row["cause"]: row for row in ROW.finditer(done.out)}
    assert set(rows) == set(causes.split(",")), done.out
    figures += [f"writes stop for {row['worst']} s: {cause}" for cause, row in rows.items()]
    assert {cause: row["lost"] for cause, row in rows.items()} == dict.fromkeys(rows, "0")


def test_switchover_refuses_who_is_no_standby(whole: Database) -> None:
    before = whole.status()["currentPrimary"]
    refused = run(".venv/bin/pgha", "switchover", "lab", "--to", "lab-99")
    assert refused.code == 2
    assert "lab-99 is no standby that is ready" in refused.out
    assert run(".venv/bin/pgha", "switchover", "lab", "--to", before).out.count("nothing to do") == 1
    assert whole.status()["currentPrimary"] == before
