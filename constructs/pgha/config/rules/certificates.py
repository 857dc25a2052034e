"""Users who prove themselves by a certificate."""

from pgha.config.model import Cluster
from pgha.config.rules.registry import Findings, finding, rule


@rule(
    "PGHA-E310",
    must="prove itself by password, since it owns a database",
    remedy="delete authentication, or let another user own the database and name this one's databases and privileges",
    source="CloudNativePG: bootstrap.initdb.secret; docs/adr/0033",
    reads=["users", "databases", "engine"],
)
def owners(cluster: Cluster) -> Findings:
    """The operator gives the owner its password when it makes the cluster, and pgha's jobs act as the owner with it.

    An application needs no ownership: with privileges of its own it can do all but change tables.
    """
    owning = {database.owner for database in cluster.databases}
    for index, user in enumerate(cluster.users):
        if cluster.engine == "cloudnative-pg" and user.authentication == "cert" and user.name in owning:
            yield finding(f"users[{index}].authentication", f"cert for {user.name}")


@rule(
    "PGHA-E311",
    must="stand only beside authentication: password",
    remedy="delete it: the operator keeps the certificate in NAME-USER-client-cert",
    source="CloudNativePG: DatabaseRole, clientCertificate",
    reads=["users"],
)
def needless_secret(cluster: Cluster) -> Findings:
    """The user has no password, and the name of the certificate's Secret is the operator's choice."""
    for index, user in enumerate(cluster.users):
        if user.authentication == "cert" and user.password_secret:
            yield finding(f"users[{index}].passwordSecret", f"{user.password_secret} with cert")


@rule(
    "PGHA-W312",
    must="be password for whoever comes through the pooler",
    remedy="let this user connect to the read-write Service or the LAN address, or give it a password",
    source="PgBouncer: auth_query looks up passwords; CloudNativePG: connection pooling",
    reads=["users", "pooler", "engine"],
)
def past_the_pooler(cluster: Cluster) -> Findings:
    """The pooler ends the client's TLS and asks for a password, which such a user does not have."""
    for index, user in enumerate(cluster.users):
        if cluster.engine == "cloudnative-pg" and user.authentication == "cert" and cluster.pooler is not None:
            yield finding(f"users[{index}].authentication", "cert beside a pooler")
