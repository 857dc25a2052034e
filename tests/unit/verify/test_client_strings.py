"""What `pgha endpoints --client` prints can be read by the clients it is for, and holds no password."""

import json
import re
import shlex
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from pgha.cli import application
from pgha.cli.clients import strings
from pgha.engines.base import Endpoint
from pgha.resources.credentials import Login
from tests.support import ROOT, sample

CLUSTER = sample()
END = Endpoint(role="read-write", vantage="lan", host="192.168.10.100", port=5432, service="db-external")
POOLED = Endpoint(role="read-write", vantage="cluster", host="db-pooler", port=5432, service="p", pooled=True)
STRANGE = Login(user="o'brien & co", database='my "db" $(x)', secret="db-app")
PLAIN = Login(user="app", database="app", secret="db-app")


@pytest.mark.parametrize("way_in", [PLAIN, STRANGE], ids=["plain", "strange"])
def test_every_client_reads_what_was_meant(way_in: Login) -> None:
    found = strings(CLUSTER, END, way_in, END.host)

    words = shlex.split(found["psql"].split(") psql ", 1)[1])
    psycopg = re.match(r"psycopg\.connect\((.*), password=\.\.\.\)", found["psycopg"])
    assert psycopg
    for conninfo in (words[0], eval(psycopg[1])):
        read = conninfo_to_dict(conninfo)
        assert (read["host"], read["dbname"], read["user"]) == (END.host, way_in.database, way_in.user)
        assert read["target_session_attrs"] == "read-write"
        assert {"keepalives_idle", "tcp_user_timeout", "connect_timeout"} <= read.keys()

    url = urlsplit(found["jdbc"].removeprefix("jdbc:"))
    assert (unquote(url.path), parse_qs(url.query)["user"]) == (f"/{way_in.database}", [way_in.user])
    assert parse_qs(url.query)["targetServerType"] == ["primary"]

    lines = [line.partition("=") for line in found["env"].splitlines() if not line.startswith("#")]
    assert {name: value for name, _, value in lines}["PGDATABASE"] == way_in.database


def test_a_pooler_is_asked_for_nothing_that_it_cannot_do() -> None:
    found = strings(CLUSTER, POOLED, PLAIN, POOLED.host)
    assert "prepareThreshold=0" in found["jdbc"]
    assert "target_session_attrs" not in found["psycopg"]


def test_the_secret_is_named() -> None:
    assert all("db-app" in text for kind, text in strings(CLUSTER, END, PLAIN, END.host).items() if kind != "jdbc")


@pytest.mark.parametrize("client", ["psql", "jdbc", "psycopg", "env"])
def test_command_prints_one_block_for_each_role(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(application(), ["endpoints", "lab", "--client", client])
    assert done.exit_code == 0, done.output
    assert done.output.count("# read-write") == 2
    assert done.output.count("# read-only, from pods, as app") == 1


def test_json_has_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(application(), ["endpoints", "lab", "--output", "json"])
    first = json.loads(done.stdout)["connections"][0]
    assert {"psql", "jdbc", "psycopg", "env", "secret", "role", "from", "user"} == first.keys()
