"""Names: those that others own, those that grow too long, and those that collide."""

import re
from collections.abc import Iterator

from pgha.config.model import Cluster
from pgha.config.rules.registry import Findings, finding, rule
from pgha.config.text import join

RESERVED_NAMESPACES = {
    "default": "everything that names no namespace lands in it",
    "kube-system": "Kubernetes itself runs in it",
    "kube-public": "everybody may read it",
    "kube-node-lease": "Kubernetes itself uses it",
    "argocd": "Argo CD runs in it",
    "metallb-system": "MetalLB runs in it",
    "cnpg-system": "the CloudNativePG operator runs in it",
    "external-secrets": "the External Secrets operator runs in it",
}
_LABEL = 63
_DERIVED = {
    "cloudnative-pg": [("Cluster {name}", "{name}", 50)],
    "bitnami": [
        # The controller's revision label is the name, a hyphen and a hash of ten: 63 in all.
        ("StatefulSet {name}-postgresql-witness", "{name}-postgresql-witness", 52),
        ("Service {name}-postgresql-headless", "{name}-postgresql-headless", _LABEL),
    ],
}
_OWN_SECRETS = {
    "cloudnative-pg": ("superuser", "ca", "server", "replication", "pooler", "heartbeat-client-cert"),
    "bitnami": ("postgresql", "pgpool", "postgresql-credentials"),
}
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_SPELLING = re.compile(r"[^\W\d][\w$-]*\Z")
_ROLES = {
    "postgres": "the superuser",
    "repmgr": "replication (repmgr)",
    "streaming_replica": "replication (CloudNativePG)",
    "sr_check_user": "Pgpool-II's health check",
    "public": "every role",
    "none": "no role",
    "pgbouncer": "PgBouncer's console",
}
_DATABASES = {
    "postgres": "administration",
    "template0": "new databases",
    "template1": "new databases",
    "repmgr": "repmgr's own tables",
    "pgbouncer": "PgBouncer's console",
}


def identifiers(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Path and text of every PostgreSQL name that the file defines."""
    for index, database in enumerate(cluster.databases):
        yield f"databases[{index}].name", database.name
    for index, user in enumerate(cluster.users):
        yield f"users[{index}].name", user.name


@rule(
    "PGHA-E211",
    must="be a namespace of the cluster's own",
    remedy="write postgresql, for instance",
    source="data-model: PostgreSQL Cluster, namespace must not be default or kube-system; reliability: bad input 3",
    reads=["namespace", "gitops.argocdNamespace"],
)
def namespace(cluster: Cluster) -> Findings:
    """The namespace, its policies and its quota are made for this cluster; in a shared one they would bind others."""
    reserved = RESERVED_NAMESPACES | {cluster.gitops.argocd_namespace: "Argo CD runs in it"}
    if cluster.namespace in reserved:
        yield finding("namespace", f"{cluster.namespace} ({reserved[cluster.namespace]})")


@rule(
    "PGHA-E212",
    must="be shorter",
    remedy="choose a shorter name",
    source="Kubernetes: names; CloudNativePG webhook: validateName; reliability: bad input 2",
    reads=["name", "engine"],
)
def derived_name(cluster: Cluster) -> Findings:
    """Objects are named after the cluster, and some of those names must fit into a label of 63 characters."""
    for what, pattern, limit in _DERIVED[cluster.engine]:
        derived = pattern.format(name=cluster.name)
        if len(derived) > limit:
            room = limit - len(pattern.format(name=""))
            where = what.format(name=cluster.name)
            yield finding("name", f"{len(cluster.name)}", must=f"have at most {room} characters ({where} has {limit})")
            return


@rule(
    "PGHA-E213",
    must="have at most 63 characters",
    remedy="choose a shorter name",
    source="RFC 1035: a DNS label; reliability: bad input 2",
    reads=["namespace", "network", "credentials", "gitops", "users", "pooler", "name", "databases"],
)
def label_length(cluster: Cluster) -> Findings:
    """Kubernetes refuses longer names for Namespaces and Services, and longer values for labels."""
    names = {"namespace": cluster.namespace, "gitops.argocdNamespace": cluster.gitops.argocd_namespace}
    names |= {f"network.namespaces[{index}]": name for index, name in enumerate(cluster.network.namespaces)}
    if cluster.gitops.project:
        names["gitops.project"] = cluster.gitops.project
    if cluster.network.load_balancer and cluster.network.load_balancer.pool.name:
        names["network.loadBalancer.pool.name"] = cluster.network.load_balancer.pool.name
    for path, name in names.items():
        if len(name) > _LABEL:
            yield finding(path, f"{len(name)}")
    for index, user in enumerate(cluster.users):
        secret = cluster.secret_name(user)
        if len(secret) > _LABEL and len(cluster.name) <= _LABEL:
            path = join(f"users[{index}]", "passwordSecret" if user.password_secret else "name")
            yield finding(path, f"{len(secret)}", must="have a Secret whose name has at most 63 characters")


@rule(
    "PGHA-E214",
    must="have at most 63 bytes",
    remedy="choose a shorter name; PostgreSQL would cut it off without an error",
    source="PostgreSQL: NAMEDATALEN; reliability: bad input 9",
    reads=["databases", "users"],
)
def identifier_length(cluster: Cluster) -> Findings:
    """PostgreSQL truncates longer names, so that two may become one. Letters beyond ASCII take two to four bytes."""
    for path, name in identifiers(cluster):
        size = len(name.encode("utf-8", "replace"))
        if size > _LABEL:
            yield finding(path, f"{size} bytes")


@rule(
    "PGHA-E215",
    must="be letters, digits, _, $ and -, beginning with a letter or _",
    remedy="choose such a name",
    source="PostgreSQL: identifiers; reliability: bad input 5",
    reads=["databases", "users"],
)
def identifier_spelling(cluster: Cluster) -> Findings:
    """Other characters break connection URIs, pgpool's user list or a script that quotes carelessly."""
    for path, name in identifiers(cluster):
        if not _SPELLING.match(name):
            yield finding(path, name)


@rule(
    "PGHA-W216",
    must="be lower case without hyphens to need no quotes",
    remedy="write it with lower-case letters, digits and _",
    source="PostgreSQL: identifiers; reliability: bad input 5",
    reads=["databases", "users"],
)
def quoted_identifier(cluster: Cluster) -> Findings:
    """Pgha quotes names, but everybody who writes SQL by hand has to as well: `GRANT … TO App-User` is an error."""
    for path, name in identifiers(cluster):
        if _SPELLING.match(name) and not _PLAIN.match(name):
            suggestion = re.sub(r"[^a-z0-9_]+", "_", name.lower())
            yield finding(path, name, remedy=f"write {suggestion}")


@rule(
    "PGHA-E217",
    must="not be a reserved role",
    remedy="choose another name",
    source="CloudNativePG webhook: managed.roles; data-model: Database User; reliability: bad input 6",
    reads=["users"],
)
def reserved_role(cluster: Cluster) -> Findings:
    """The engines and PostgreSQL make these roles themselves and give them rights that no application may have."""
    for index, user in enumerate(cluster.users):
        purpose = _ROLES.get(user.name.lower())
        if user.name.lower().startswith(("pg_", "cnpg_", "pgha_")):
            purpose = "PostgreSQL and the engines"
        if user.name.lower().startswith("pgha_"):
            purpose = "pgha's own roles: monitoring, backup"
        if purpose:
            yield finding(f"users[{index}].name", f"{user.name} (reserved for {purpose})")


@rule(
    "PGHA-E218",
    must="not be a reserved database",
    remedy="choose another name",
    source="data-model: Database, must not be reserved (postgres, template0, template1); reliability: bad input 7",
    reads=["databases"],
)
def reserved_database(cluster: Cluster) -> Findings:
    """These exist in every cluster and are not for applications."""
    for index, database in enumerate(cluster.databases):
        if purpose := _DATABASES.get(database.name.lower()):
            yield finding(f"databases[{index}].name", f"{database.name} (reserved for {purpose})")


@rule(
    "PGHA-E219",
    must="have a Secret of its own",
    remedy="rename the user, or name another Secret with passwordSecret",
    source="data-model: Database User, password_secret; research cnpg-eso 2, generated secrets",
    reads=["users", "name", "engine"],
)
def secret_collision(cluster: Cluster) -> Findings:
    """Two users, or a user and the engine itself, would write one Secret.

    `app_user` and `app-user` both become NAME-app-user, and a user called `ca` would replace CloudNativePG's
    certificate authority.
    """
    owners = {f"{cluster.name}-{suffix}": f"engine {cluster.engine}" for suffix in _OWN_SECRETS[cluster.engine]}
    seen: set[str] = set()
    for index, user in enumerate(cluster.users):
        secret = cluster.secret_name(user)
        if secret in owners and user.name not in seen:
            key = "passwordSecret" if user.password_secret else "name"
            yield finding(f"users[{index}].{key}", f"{secret}, which belongs to {owners[secret]}")
        owners.setdefault(secret, f"user {user.name}")
        seen.add(user.name)


@rule(
    "PGHA-E220",
    must="differ from the others in more than case and punctuation",
    remedy="rename one of them",
    source="Kubernetes: object names",
    reads=["databases"],
)
def database_collision(cluster: Cluster) -> Findings:
    """Each database becomes an object whose name is its own in lower case with hyphens.

    `app_db` and `app-db` would be one.
    """
    owners: dict[str, str] = {}
    for index, database in enumerate(cluster.databases):
        label = re.sub(r"[^a-z0-9]+", "-", database.name.lower()).strip("-")
        other = owners.setdefault(label, database.name)
        if other != database.name:
            yield finding(f"databases[{index}].name", f"{database.name} beside {other}")
