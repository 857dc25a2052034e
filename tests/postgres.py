"""A real PostgreSQL for a test: Debian's, on a loopback address, as an unprivileged user, gone afterwards."""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.debian import CACHE, MissingError, libraries, postgresql

_SUPERUSER_PASSWORD = "a-password-of-the-test"
_NOBODY = pwd.getpwnam("nobody")


@dataclass(frozen=True)
class Server:
    """A running server. Every connection needs a password, as in the chart."""

    folder: Path
    host: str
    port: int
    bin: Path

    def environment(self, *, user: str = "postgres", password: str = _SUPERUSER_PASSWORD) -> dict[str, str]:
        """What libpq's programs need to reach it."""
        path = f"{self.bin}:{os.environ['PATH']}"
        login = {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": user, "PGPASSWORD": password}
        return {"PATH": path} | login | libraries(self.bin)

    def query(self, sql: str, database: str = "postgres", **login: str) -> str:
        """Rows as text; an error of the server fails the test with its message."""
        done = self.try_query(sql, database, **login)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_query(self, sql: str, database: str = "postgres", **login: str) -> subprocess.CompletedProcess[str]:
        command = ["psql", "-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]
        return subprocess.run(
            command, env=self.environment(**login), capture_output=True, text=True, check=False, timeout=30
        )

    def control(self, *arguments: str) -> None:
        """pg_ctl."""
        log = self.folder / "log"
        _run([self.bin / "pg_ctl", "-D", self.folder / "data", "-w", "-l", log, *arguments])


@contextmanager
def primary(host: str = "127.0.0.1") -> Iterator[Server]:
    """A new server, empty. Skips, loudly, where PostgreSQL cannot be had."""
    try:
        programs = _programs()
    except MissingError as missing:
        pytest.skip(f"NOT RUN: no PostgreSQL server on this machine: {missing}")
    with _folder() as folder:
        secret = folder / "password"
        secret.write_text(_SUPERUSER_PASSWORD)
        secret.chmod(0o644)
        _run([programs / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--no-sync",
              "--locale=C.UTF-8", "--auth=scram-sha-256", "--pwfile", secret])  # fmt: skip
        (folder / "data" / "pg_hba.conf").write_text(
            "local all all scram-sha-256\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n"
        )
        with _started(Server(folder, host, _free_port(), programs)) as server:
            yield server


@contextmanager
def standby(of: Server, host: str = "127.0.0.2") -> Iterator[Server]:
    """A standby of a server, on the same port of another loopback address."""
    with _folder() as folder:
        conninfo = f"host={of.host} port={of.port} user=postgres password={_SUPERUSER_PASSWORD}"
        _run([of.bin / "pg_basebackup", "-D", folder / "data", "-R", "-c", "fast", "-d", conninfo, "--no-sync"])
        with _started(Server(folder, host, of.port, of.bin)) as server:
            yield server


@contextmanager
def _started(server: Server) -> Iterator[Server]:
    options = f"-c listen_addresses={server.host} -c port={server.port} -c unix_socket_directories= -c fsync=off"
    server.control("start", "-o", options)
    try:
        yield server
    finally:
        server.control("stop", "-m", "immediate")


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pgha-test-postgres-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY.pw_uid, _NOBODY.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder)


def _run(command: list[str | Path]) -> None:
    root = os.geteuid() == 0
    done = subprocess.run(
        command,
        env=os.environ | libraries(Path(command[0])),
        user=_NOBODY.pw_uid if root else None,
        group=_NOBODY.pw_gid if root else None,
        extra_groups=[] if root else None,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


@cache
def _programs() -> Path:
    """The server's programs where nobody may run them: PostgreSQL refuses to run as root."""
    found = postgresql()
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in found.parents):
        return found
    copy = Path(tempfile.mkdtemp(prefix="pgha-test-programs-"))
    atexit.register(shutil.rmtree, copy)
    copy.chmod(0o755)
    tree = next(folder for folder in found.parents if folder.parent == CACHE)
    shutil.copytree(tree / "usr", copy / "usr", symlinks=True)
    return copy / found.relative_to(tree)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
