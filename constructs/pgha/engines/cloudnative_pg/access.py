"""Privileges: one Job per database, which gives them as the database's owner.

The operator makes roles and databases but grants nothing. The owner may grant on what is its own, so no other role and
no superuser is needed. A Job's name holds what it does: another file is another Job, on a running cluster too.
"""

import json
from importlib.resources import files
from ipaddress import ip_network

from pgha.config.model import Cluster, Database, User
from pgha.config.text import dns_label
from pgha.engines.cloudnative_pg.client import client_pod
from pgha.resources.grants import close_to_public, grants, grants_on_what_is_there, guests, revocations
from pgha.resources.metadata import Object, checksum, metadata
from pgha.resources.pods import ACCESS, job_labels, secret_variable

_WAIT_SECONDS = 600
_JOBS = "pgha-jobs"
_NAME = 63 - len("-") - len(checksum())


def jobs(cluster: Cluster) -> list[Object]:
    """A Job for every database, in the file's order."""
    return [_job(cluster, database) for database in cluster.databases]


def selectors(cluster: Cluster) -> list[Object]:
    """For a file that admits no pods: entries of `podSelectorRefs`, by which the operator knows the jobs' addresses."""
    pods = ip_network(cluster.network.pod_cidr)
    networks = [ip_network(network) for network in cluster.network.networks]
    if any(pods.version == network.version and pods.subnet_of(network) for network in networks):  # type: ignore[arg-type]
        return []
    return [{"name": _JOBS, "selector": {"matchLabels": job_labels(cluster)}}]


def hba(cluster: Cluster) -> list[str]:
    """The lines that let the jobs in where nothing else of the file does."""
    if not selectors(cluster):
        return []
    return [f"hostssl all all ${{podselector:{_JOBS}}} {cluster.network.authentication}"]


def statements(cluster: Cluster, database: Database) -> str:
    """What psql runs as the owner, in one transaction.

    Every other user of the file first loses what the owner gave it, so that what left the file is gone too.
    """
    users = sorted(cluster.users, key=lambda user: user.name)
    lines = [f"{statement};" for statement in close_to_public(database)]
    lines += revocations(database, [user for user in users if user.name != database.owner])
    for user in users:
        if user in guests(cluster, database):
            lines += [f"{statement};" for statement in grants(database, user)]
            lines += grants_on_what_is_there(database, user)
    return "\n".join(lines)


def script(name: str) -> str:
    """The text of one of this engine's shell scripts."""
    return files("pgha.engines.cloudnative_pg.scripts").joinpath(name).read_text(encoding="utf-8")


def owner(cluster: Cluster, database: Database) -> User:
    """The user that owns it; that every owner is one is a rule of the cluster file."""
    return next(user for user in cluster.users if user.name == database.owner)


def _job(cluster: Cluster, database: Database) -> Object:
    user = owner(cluster, database)
    by_password, secret = user.authentication == "password", cluster.secret_name(user)
    template = client_pod(
        cluster,
        labels=job_labels(cluster),
        script=script("access.sh"),
        environment=[
            {"name": "PGDATABASE", "value": database.name},
            {"name": "PGUSER", "value": user.name},
            *([secret_variable("PGPASSWORD", secret, "password")] if by_password else []),
            {"name": "SQL", "value": statements(cluster, database)},
            {"name": "WAIT", "value": str(_WAIT_SECONDS)},
        ],
        certificate=None if by_password else secret,
    )
    template["spec"]["restartPolicy"] = "OnFailure"
    readable = f"{cluster.name}-access-{dns_label(database.name)}"[:_NAME].rstrip("-")
    meta = metadata(cluster, f"{readable}-{checksum(json.dumps(template))}")
    meta["labels"] |= ACCESS
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {"backoffLimit": 6, "template": template},
    }
