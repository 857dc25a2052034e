"""Two connections that prove a cluster usable: one from a pod, one from the LAN."""

import base64
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.delivery.probe import QUERY
from pgha.engines import engine_of
from pgha.engines.base import Endpoint
from pgha.resources.credentials import Login, logins
from pgha.resources.metadata import Object, metadata
from pgha.resources.pods import RESTRICTED_CONTAINER, secret_variable, small, visitor

_CONNECT_SECONDS = 5
_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one connection showed.

    `facts`: server_version, user, database, server_address, tls, transaction.
    """

    vantage: Literal["cluster", "lan"]
    host: str
    port: int
    ok: bool
    seconds: float | None = None
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def endpoint(cluster: Cluster, vantage: Literal["cluster", "lan"]) -> Endpoint | None:
    """The preferred address for writes from there."""
    found = engine_of(cluster).endpoints(cluster)
    return next((end for end in found if end.vantage == vantage and end.role == "read-write"), None)


def login(cluster: Cluster) -> Login:
    """Who the proof connects as: the first owner.

    Raises:
        UserError: No user of the file has a password.
    """
    found = logins(cluster)
    if not found:
        raise UserError("no user with a password may connect to any database", "give one of users a database")
    return found[0]


def from_lan(api: Api, cluster: Cluster, end: Endpoint, *, prefix: Sequence[str], timeout: float) -> Proof:
    """Connect from this machine, or from where `prefix` puts a process, and try again until the deadline.

    A LAN address may answer some seconds after it was assigned: its announcement has to reach the switch.
    """
    way_in = login(cluster)
    user, password = credentials(api, cluster.namespace, way_in.secret)
    request = {
        "host": end.host,
        "port": end.port,
        "dbname": way_in.database,
        "user": user,
        "password": password,
        "connect_timeout": _CONNECT_SECONDS,
        "sslmode": end.sslmode,
    }
    deadline = time.monotonic() + timeout
    while True:
        answer = _probed(request, prefix)
        if answer["ok"] or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    return Proof(
        vantage="lan",
        host=end.host,
        port=end.port,
        ok=answer["ok"],
        seconds=answer.get("seconds"),
        error=answer.get("error", ""),
        facts=answer.get("facts", {}),
    )


def from_pod(api: Api, cluster: Cluster, end: Endpoint, *, timeout: float, say: Callable[[str], None]) -> Proof:
    """Run psql in short-lived pods of the cluster's namespace until one has connected, or until the deadline.

    The first may come too early: a renewed password is in its Secret a moment before the server knows it. Every pod
    is removed, whatever happens.
    """
    deadline, refusal = time.monotonic() + timeout, ""
    while True:
        pod = _pod(cluster, end, login(cluster))
        api.create(pod)
        try:
            phase, log = _finished(api, pod, deadline=deadline, say=say)
        finally:
            api.delete(pod)
        if phase != "Failed":
            break
        refusal = " ".join(log.split()) or "it wrote nothing"
        if time.monotonic() >= deadline:
            break
        say(f"no connection yet: {refusal}")
        time.sleep(_POLL_SECONDS)
    facts = _facts(log) if phase == "Succeeded" else {}
    why = f"failed: {refusal}" if refusal else f"{phase.lower()}: {' '.join(log.split()) or 'it wrote nothing'}"
    error = "" if facts else why
    return Proof(
        vantage="cluster",
        host=end.host,
        port=end.port,
        ok=bool(facts),
        error=error,
        facts=facts,
    )


def credentials(api: Api, namespace: str, name: str) -> tuple[str, str]:
    """User name and password of a Secret, for a connection; never for printing.

    Raises:
        UserError: The Secret is not there, or is not of that shape.
    """
    data = (api.read("v1", "Secret", namespace, name) or {}).get("data") or {}
    if not {"username", "password"} <= data.keys():
        raise UserError(f"Secret {namespace}/{name} holds no username and password", "apply the cluster first: pgha up")
    user, password = (base64.b64decode(data[key]).decode() for key in ("username", "password"))
    return user, password


def _probed(request: dict[str, Any], prefix: Sequence[str]) -> dict[str, Any]:
    command = [*prefix, sys.executable, "-m", "pgha.delivery.probe"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"ok": False, "error": f"the probe did not run: {lines[-1]}", "reached": False}
    return answer


def _pod(cluster: Cluster, end: Endpoint, way_in: Login) -> Object:
    """A pod that meets the Pod Security Standard `restricted` and asks the API server for nothing."""
    name = f"{cluster.name}-proof-{secrets.token_hex(3)}"
    plain = {
        "PGHOST": end.host,
        "PGPORT": str(end.port),
        "PGDATABASE": way_in.database,
        "PGSSLMODE": end.sslmode,
        "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
        "HOME": "/tmp",  # noqa: S108  # psql looks for its settings there; the root file system is read-only
    }
    meta = metadata(cluster, name)
    meta["labels"] |= {"app.kubernetes.io/component": "proof"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": visitor(
            {
                "name": "psql",
                "image": engine_of(cluster).client_image(cluster),
                "command": ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", " ".join(QUERY.split())],
                "env": [
                    *({"name": key, "value": value} for key, value in plain.items()),
                    secret_variable("PGUSER", way_in.secret, "username"),
                    secret_variable("PGPASSWORD", way_in.secret, "password"),
                ],
                "resources": small(),
                "securityContext": RESTRICTED_CONTAINER,
            }
        ),
    }


def _finished(api: Api, pod: Object, *, deadline: float, say: Callable[[str], None]) -> tuple[str, str]:
    """The phase in which it ended, and its log."""
    meta, begun = pod["metadata"], time.monotonic()
    while True:
        live = api.read("v1", "Pod", meta["namespace"], meta["name"]) or {}
        status = live.get("status") or {}
        phase = status.get("phase", "Unknown")
        if phase in {"Succeeded", "Failed"}:
            return phase, api.log(meta["namespace"], meta["name"])
        waiting = _waiting(status)
        say(f"pod {meta['name']}: {waiting or phase}")
        if time.monotonic() >= deadline:
            return f"not finished after {time.monotonic() - begun:.0f} s", waiting or _log(api, meta)
        time.sleep(_POLL_SECONDS)


def _waiting(status: Object) -> str:
    for entry in status.get("containerStatuses") or []:
        reason = ((entry.get("state") or {}).get("waiting") or {}).get("reason")
        if reason:
            return str(reason)
    return ""


def _log(api: Api, meta: Object) -> str:
    try:
        return api.log(meta["namespace"], meta["name"])
    except ApiError as error:
        return error.what


def _facts(log: str) -> dict[str, Any]:
    try:
        found = json.loads(log.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}
