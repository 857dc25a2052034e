"""`up` as steps without a command line: choose the way, apply, wait, prove."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery import apply as server_side
from pgha.delivery import planning, proof
from pgha.delivery.changes import guard
from pgha.delivery.kubernetes import Api
from pgha.delivery.proof import Proof
from pgha.delivery.target import Target
from pgha.delivery.tofu import Tofu, find_program, prepare
from pgha.engines import Plan

Say = Callable[[str], None]

_PROOF_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class Way:
    """How this run applies, and why not the other way."""

    name: Literal["tofu", "server-side"]
    tofu: Tofu | None
    reason: str = ""


def choose_way(api: Api, cluster: Cluster, stack: Callable[[], Path], kubeconfig: Path | None) -> Way:
    """OpenTofu where its providers can be installed and the objects are its own; else server-side.

    `stack` synthesizes the cluster's stack and returns its folder; it is called only if there is an OpenTofu.

    Raises:
        UserError: The state cannot be read. To apply then would be to apply beside it.
    """
    if find_program() is None:
        return Way(name="server-side", tofu=None, reason="there is no program tofu on PATH")
    tofu, reason = prepare(stack(), kubeconfig)
    if tofu is None:
        return Way(name="server-side", tofu=None, reason=reason)
    tofu.rescue()
    if planning.is_stranger(api, cluster, tofu):
        reason = f"its objects are in no state here; to hand them to OpenTofu: pgha plan {cluster.name} --adopt"
        return Way(name="server-side", tofu=None, reason=reason)
    return Way(name="tofu", tofu=tofu)


def deliver(api: Api, way: Way, cluster: Cluster, planned: Plan, say: Say) -> list[str]:
    """Apply in the chosen way; a line per change.

    Raises:
        UserError: It would destroy what holds data (nothing is changed then), or something failed.
    """
    if way.tofu is None:
        return server_side.apply(api, planned, say)
    made = planning.make(api, cluster, way.tofu, say)
    try:
        guard(made.plan.changes, frozenset())
    except UserError as error:
        made.path.unlink(missing_ok=True)
        raise UserError(
            error.what, f"restore the cluster file, or see the plan and name what may go: pgha plan {cluster.name}"
        ) from error
    return [*made.notes, *planning.apply(api, way.tofu, made, frozenset(), say)]


def prove(api: Api, cluster: Cluster, target: Target, vantage: Literal["cluster", "lan"], say: Say) -> Proof | None:
    """One writing connection from there; None where the file offers no address for it."""
    end = proof.endpoint(cluster, vantage)
    if end is None:
        return None
    if vantage == "cluster":
        return proof.from_pod(api, cluster, end, timeout=_PROOF_SECONDS, say=say)
    return proof.from_lan(api, cluster, end, prefix=target.lan, timeout=_PROOF_SECONDS)
