"""The volumes: one for each instance, of the class and size of the file, bound, and not full."""

from typing import Any

from pgha.config.model import Cluster
from pgha.config.quantity import quantity
from pgha.verify.checks.topology import data_pods
from pgha.verify.readings import Readings
from pgha.verify.registry import Verdict, check, failed, not_measured, verdict

FULL = 0.9
"""Data-model, 6. Persistent Storage: used_space must not exceed capacity less 10 %."""


def _bytes(text: str | None) -> float:
    return float(quantity(text) or 0)


def claims_of(cluster: Cluster, readings: Readings) -> dict[str, list[dict[str, Any]]]:
    """By instance the volume claims that its pod mounts."""
    live = {claim["metadata"]["name"]: claim for claim in readings["claims"]}
    return {
        pod["metadata"]["name"]: [
            live[volume["persistentVolumeClaim"]["claimName"]]
            for volume in pod["spec"].get("volumes") or []
            if volume.get("persistentVolumeClaim", {}).get("claimName") in live
        ]
        for pod in data_pods(cluster, readings["pods"])
    }


@check(
    "DM-6",
    "Volumes have the class and size of the file, and are bound",
    source="data-model, 6. Persistent Storage: storage_class, capacity, access_mode",
    needs=["pods", "claims"],
    remedy="a claim grows where its class allows it; another class needs a new cluster: restore a backup into one",
)
def volumes(cluster: Cluster, readings: Readings) -> Verdict:
    """Each claim of an instance: Bound, its class, its access mode, and at least the declared size."""
    wanted = [_bytes(cluster.storage.size), *([_bytes(cluster.storage.wal_size)] if cluster.storage.wal_size else [])]
    faults, fine = [], []
    for pod, claims in claims_of(cluster, readings).items():
        if not claims:
            faults.append(f"{pod} has no volume that outlives it")
        for claim in claims:
            name, spec, status = claim["metadata"]["name"], claim["spec"], claim.get("status") or {}
            if status.get("phase") != "Bound":
                faults.append(f"{name} is {status.get('phase')}")
            if spec.get("storageClassName") != cluster.storage.storage_class:
                faults.append(f"{name} is of class {spec.get('storageClassName')}, not {cluster.storage.storage_class}")
            if spec.get("accessModes") != [cluster.storage.access_mode]:
                faults.append(f"{name} has access mode {', '.join(spec.get('accessModes') or [])}")
            size = (status.get("capacity") or {}).get("storage") or spec["resources"]["requests"]["storage"]
            if _bytes(size) < min(wanted):
                faults.append(f"{name} has {size}, the file asks for {cluster.storage.size}")
            fine.append(f"{name}: {size}, {spec.get('storageClassName')}")
    return verdict(faults, *fine) if faults or fine else not_measured("there is no pod of an instance")


@check(
    "DM-6.own",
    "Every instance has a volume of its own, which stays when its pod goes",
    source="data-model, Storage Isolation, Pod-Volume Binding and Volume Persistence; spec, FR-004",
    severity="critical",
    needs=["pods", "claims", "volumes", "classes"],
    remedy="two instances on one volume destroy it: stop one of them at once",
)
def own_volumes(cluster: Cluster, readings: Readings) -> Verdict:
    """No claim and no PersistentVolume serves two instances; what becomes of it follows its class."""
    live = {volume["metadata"]["name"]: volume for volume in readings["volumes"]}
    classes = {each["metadata"]["name"]: each.get("reclaimPolicy", "Delete") for each in readings["classes"]}
    users: dict[str, list[str]] = {}
    faults, policies = [], set()
    for pod, claims in claims_of(cluster, readings).items():
        for claim in claims:
            name = claim["spec"].get("volumeName") or ""
            users.setdefault(name, []).append(pod)
            policy = (live.get(name) or {}).get("spec", {}).get("persistentVolumeReclaimPolicy")
            declared = classes.get(claim["spec"].get("storageClassName"))
            policies.add(f"{policy} once its claim is deleted")
            if policy is None:
                faults.append(f"{claim['metadata']['name']} has no PersistentVolume")
            elif policy not in {declared, "Retain"}:
                faults.append(f"{name} is reclaimed by {policy}, its class says {declared}")
    faults += [f"{volume} serves {' and '.join(pods)}" for volume, pods in users.items() if volume and len(pods) > 1]
    if not users:
        return failed("no instance has a volume")
    return verdict(faults, f"{len(users)} volumes for {len(users)} mounts: {', '.join(sorted(policies))}")


@check(
    "EDGE-5",
    "No volume is nearly full",
    source="spec, edge case 5: the database cluster runs out of storage; data-model, used_space",
    severity="critical",
    needs=["instances", "claims", "pods"],
    remedy="docs/runbooks/storage.md: find what holds the write-ahead log, or let the volume grow",
)
def room(cluster: Cluster, readings: Readings) -> Verdict:
    """Databases and write-ahead log of each instance, counted by itself, against its volumes."""
    shares = share_used(cluster, readings)
    lines = {pod: f"{pod}: {share:.1%} used" for pod, share in shares.items()}
    faults = [lines[pod] for pod, share in shares.items() if share > FULL]
    return verdict(faults, *lines.values()) if shares else not_measured("no instance answered")


def share_used(cluster: Cluster, readings: Readings) -> dict[str, float]:
    """By instance, how much of its volumes its databases and its write-ahead log take: 0 to 1."""
    claims, found = claims_of(cluster, readings), {}
    for pod, facts in readings["instances"].items():
        sizes = [
            _bytes((claim.get("status") or {}).get("capacity", {}).get("storage")) for claim in claims.get(pod, [])
        ]
        total = sum(sizes, 0.0)
        if "error" not in facts and total:
            found[pod] = float(facts["bytes"]) / total
    return found
