"""Whose password lives in which Secret, and the Secrets whose passwords somebody must make."""

from dataclasses import dataclass, field

from pgha.config.model import Cluster
from pgha.resources.metadata import REVISION, labels

PASSWORD_LENGTH = 24
"""Letters and digits of a generated password (the seed has 16): 142 bits, and nothing that a URI would have
to escape.
"""


@dataclass(frozen=True, kw_only=True)
class GeneratedSecret:
    """A Secret whose passwords somebody must make: OpenTofu (ephemeral, write-only) or the server-side apply.

    `data` holds what is not secret (a user name); every key in `passwords` gets 24 random letters and digits.
    They are made once and made anew only when `revision` differs from the one recorded on the live Secret.
    """

    namespace: str
    name: str
    type: str = "Opaque"
    data: dict[str, str] = field(default_factory=dict)
    passwords: tuple[str, ...] = ("password",)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    revision: int = 1


@dataclass(frozen=True, kw_only=True)
class Login:
    """A way in: the Secret (keys `username`, `password`) and a database that the user may connect to."""

    user: str
    database: str
    secret: str


def basic_auth(
    cluster: Cluster, username: str, name: str, *, extra_labels: dict[str, str] | None = None
) -> GeneratedSecret:
    """A `kubernetes.io/basic-auth` Secret with a generated password."""
    return GeneratedSecret(
        namespace=cluster.namespace,
        name=name,
        type="kubernetes.io/basic-auth",
        data={"username": username},
        labels=labels(cluster) | (extra_labels or {}),
        annotations={REVISION: str(cluster.credentials.revision)},
        revision=cluster.credentials.revision,
    )


def logins(cluster: Cluster) -> list[Login]:
    """One way in per user and database, owners first: what a new cluster is tried with."""
    users = {user.name: user for user in cluster.users}
    pairs = [(database.owner, database.name) for database in cluster.databases]
    pairs += [(user.name, name) for user in cluster.users for name in user.databases]
    return [
        Login(user=user, database=database, secret=cluster.secret_name(users[user]))
        for user, database in dict.fromkeys(pairs)
        if user in users and users[user].authentication == "password"
    ]
