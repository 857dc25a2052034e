"""The proof that a backup is one: restored into a throw-away cluster, read to the last row, compared, deleted."""

import time
from dataclasses import dataclass, replace

from pgha.backup.comparing import Comparison, Contents, compare, contents
from pgha.backup.lending import lend
from pgha.backup.logs import last_errors
from pgha.backup.patience import Patience
from pgha.backup.restoring import archive_to_now, restored
from pgha.backup.server import Server
from pgha.config.model import Cluster, Credentials, Monitoring
from pgha.config.problems import UserError
from pgha.delivery.apply import apply
from pgha.delivery.kubernetes import Api
from pgha.delivery.preflight import namespace_of
from pgha.delivery.progress import Progress
from pgha.delivery.removal import remove
from pgha.engines import engine_of, plan

_POLL_SECONDS = 2.0
_REMOVAL_SECONDS = 300.0
_ATTEMPTS = 2
"""How often making the cluster may fail: once may be the network, twice is the backup."""

_NAME_LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class Proven:
    """What a proof found. `ok` where the backup could be restored and nothing in it differs."""

    ok: bool
    backup: str
    """The newest backup, which the restore began with."""
    segment: str
    """The write-ahead log it went on to."""
    error: str = ""
    equal: int = 0
    changing: int = 0
    rows: int = 0
    differences: tuple[str, ...] = ()


class RestoreFailed(Exception):  # noqa: N818 - a result, not a fault of the user's
    """No cluster could be made from the backup; the message says why."""


def throw_away(cluster: Cluster) -> Cluster:
    """The cluster that a proof makes: one server, archiving nothing, in a namespace of its own."""
    made = restored(cluster, f"{cluster.name[:_NAME_LENGTH]}-proof", None)
    return made.model_copy(
        update={
            "instances": 1,
            "backup": None,
            "pooler": None,
            "delivery": "tofu",
            "monitoring": Monitoring(enabled=False),
            "credentials": Credentials(),
        }
    )


def prove(api: Api, cluster: Cluster, *, timeout: float, progress: Progress) -> Proven:
    """Restore the newest backup with all write-ahead log up to now, compare every table, delete the copy.

    The original is only read. Tables that change meanwhile are read in the copy, not compared. What an interrupted
    proof left behind is removed first.

    Raises:
        UserError: There is nothing to prove, or the original cannot be asked.
    """
    backups = engine_of(cluster).backups
    done = [each for each in backups.known(cluster, api.list) if each.phase == "done"]
    if not done:
        raise UserError(f"there is no backup of cluster {cluster.name}", f"make one: pgha backup {cluster.name}")
    if trouble := backups.trouble(cluster, api.read):
        raise UserError(f"no proof can be made now: {trouble}", "mend that, then run it again")
    copy, source = throw_away(cluster), Server(api, cluster)
    with progress.phase("read the original"):
        before = contents(source, timeout=timeout)
        segment = archive_to_now(api, cluster, progress.say)
    nothing = Proven(ok=False, backup=done[0].name, segment=segment)
    try:
        with progress.phase("restore into a throw-away cluster"):
            _discard(api, copy, progress)
            _make(api, cluster, copy, progress)
            _wait(api, copy, timeout, progress)
        with progress.phase("compare"):
            found = _compared(api, copy, source, before, timeout)
    except RestoreFailed as failure:
        return replace(nothing, error=str(failure))
    finally:
        with progress.phase("delete the throw-away cluster"):
            _discard(api, copy, progress)
    return replace(
        nothing,
        ok=not found.differences,
        equal=found.equal,
        changing=found.changing,
        rows=found.rows,
        differences=found.differences,
    )


def _compared(api: Api, copy: Cluster, source: Server, before: Contents, timeout: float) -> Comparison:
    try:
        restored_contents = contents(Server(api, copy), timeout=timeout)
    except UserError as error:
        raise RestoreFailed(f"what was restored cannot be read: {error.what}") from error
    return compare(before, restored_contents, contents(source, timeout=timeout))


def _make(api: Api, cluster: Cluster, copy: Cluster, progress: Progress) -> None:
    planned = plan(copy)
    api.apply(planned.stack[0])
    lend(api, cluster, copy, engine_of(copy).backups.borrowed(copy))
    apply(api, planned, progress.say)


def _wait(api: Api, copy: Cluster, timeout: float, progress: Progress) -> None:
    engine, deadline, patience = engine_of(copy), time.monotonic() + timeout, Patience(progress.say)
    while True:
        found = patience.ask(lambda: engine.readiness(copy, api.read))
        if found is not None and found.ready:
            return
        pods = patience.ask(lambda: api.list("v1", "Pod", copy.namespace, engine.backups.recovery_pods(copy))) or []
        failed = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Failed"]
        if len(failed) >= _ATTEMPTS or (found is not None and found.failed):
            reason = last_errors(api, failed[-1]) if failed or found is None else found.summary
            raise RestoreFailed(f"it could not be restored: {reason}")
        summary = found.summary if found is not None else "the API server does not answer"
        if time.monotonic() >= deadline:
            raise RestoreFailed(f"it was not restored within {timeout:.0f} s: {summary}")
        progress.say(summary)
        time.sleep(_POLL_SECONDS)


def _discard(api: Api, copy: Cluster, progress: Progress) -> None:
    if namespace_of(api, copy) is not None:
        remove(api, copy, plan(copy), timeout=_REMOVAL_SECONDS, say=progress.say)
