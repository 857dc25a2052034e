"""Databases, users, networks and the pooler."""

from pgha.config.changes import Change
from pgha.engines.cloudnative_pg.effects.words import (
    ACCESS,
    CLUSTER,
    DATABASE,
    LAN,
    POLICY,
    POOL,
    POOLER,
    POOLERS,
    ROLE,
    access,
    nothing,
    reload,
)
from pgha.engines.effects import Case, Level, Rules
from pgha.engines.effects.common import SAME_SET, fewer, goes, refused

_CERTIFIED = ("DatabaseRole {namespace}/{name}-{entry}", *CLUSTER)
"""A role with a certificate, and its lines in pg_hba."""


def _certified(change: Change) -> bool:
    """Whether the user logs in with a certificate, in the old file or in the new one."""
    users = (*change.before.users, *change.after.users)
    return any(user.name == change.entry and user.authentication == "cert" for user in users)


DATABASES: Rules = {
    "databases[].name": (
        Case(
            level=Level.BY_HAND,
            reason="nothing drops a database: it stays, with its data, and is no longer looked after",
            objects=(*DATABASE, *CLUSTER, *ACCESS),
            remedy="drop it by hand, if it is really to go",
            when=goes,
            said="it goes",
        ),
        nothing("the operator creates the database, and a job gives privileges in it", *DATABASE, *CLUSTER, *ACCESS),
    ),
    "databases[].owner": (
        access(
            "the operator gives the database, but not what is in it, to another owner, who gives privileges from now "
            "on; what the old one gave stays",
            *DATABASE,
            *CLUSTER,
            *ACCESS,
            remedy="REASSIGN OWNED in that database as the superuser, for what is in it",
        ),
    ),
    **{
        f"databases[].{key}": (
            refused(
                f"a database's {key} is fixed when it is made",
                *CLUSTER,
                *DATABASE,
                remedy="make another database with it, and move the data with pg_dump",
            ),
        )
        for key in ("encoding", "collation")
    },
    "users[].name": (
        Case(
            level=Level.BY_HAND,
            reason="the operator drops no role: it stays, with its privileges; the certificate goes, a copy is good "
            "until it expires",
            objects=(*_CERTIFIED, *ACCESS),
            remedy="DROP ROLE it by hand",
            when=lambda change: goes(change) and _certified(change),
            said="it goes, and has a certificate",
        ),
        access(
            "the operator makes the role and its certificate, and a job gives its privileges",
            *_CERTIFIED,
            *ACCESS,
            when=_certified,
            said="it has a certificate",
        ),
        Case(
            level=Level.BY_HAND,
            reason="the operator drops no role: it stays, with its password and privileges, and can still log in",
            objects=(*ROLE, *ACCESS),
            remedy="empty its `databases` first, or reassign what it owns and DROP ROLE it by hand",
            when=goes,
            said="it goes",
        ),
        access("the operator makes the role, and a job gives its privileges", *ROLE, *ACCESS),
    ),
    **{
        f"users[].{key}": (
            SAME_SET,
            Case(
                level=Level.ACCESS,
                reason="a job takes back what left the file, also what was granted by hand: this user loses privileges "
                "in these databases; a session that is open keeps its connection",
                objects=ACCESS,
                when=fewer,
                said="one goes",
            ),
            access("a job gives the privileges, also on what is there already", *ACCESS),
        )
        for key in ("databases", "privileges")
    },
    "users[].connectionLimit": (
        access(
            "the operator alters the role; sessions that are open stay",
            *_CERTIFIED,
            when=_certified,
            said="it has a certificate",
        ),
        access("the operator alters the role; sessions that are open stay", *CLUSTER),
    ),
    "users[].superuser": (access("the operator alters the role", *CLUSTER),),
    "users[].authentication": (
        access(
            "the user loses its password, and the operator makes it a certificate; open sessions stay",
            "DatabaseRole {namespace}/{name}-{entry}",
            *ROLE,
            remedy="give its clients the Secret NAME-USER-client-cert before they connect again",
            when=lambda change: bool(change.new == "cert"),
            said="to cert",
        ),
        access(
            "the user gets a password, and its certificate lets it in no more; open sessions stay",
            "DatabaseRole {namespace}/{name}-{entry}",
            *ROLE,
            remedy="give its clients the Secret NAME-USER before they connect again",
        ),
    ),
    "users[].passwordSecret": (
        access("the role takes the password of another Secret; sessions that are open stay", *ROLE, *ACCESS),
    ),
}

NETWORK: Rules = {
    "network.loadBalancer": (access("the address on the LAN comes or goes", *LAN, *POOL, remedy="tell its clients"),),
    "network.loadBalancer.address": (
        access("the Service moves to another address; connections to the old one end", *LAN, remedy="tell its clients"),
    ),
    "network.loadBalancer.readOnlyAddress": (access("the standbys' address on the LAN changes", *LAN),),
    "network.loadBalancer.pool.name": (
        access("MetalLB takes the address back and gives it again from the other pool", *LAN, *POOL),
    ),
    "network.loadBalancer.pool.addresses": (
        SAME_SET,
        access("this cluster keeps its address; other Services lose one that leaves the pool", *POOL),
    ),
    "network.loadBalancer.pool.autoAssign": (nothing("it is about the next Services only", *POOL),),
    "network.loadBalancer.pool.create": (
        access("the pool changes its owner; without a pool of that name the Service loses its address", *POOL),
    ),
    "network.loadBalancer.hostname": (reload("the server certificate is made anew with other names, and reloaded"),),
    "network.loadBalancer.externalTrafficPolicy": (
        access("other nodes answer for the address, and pg_hba sees other client addresses", *LAN),
    ),
    "network.networks": (
        SAME_SET,
        Case(
            level=Level.ACCESS,
            reason="clients in the networks that go are rejected by pg_hba from their next connection on, and by the "
            "NetworkPolicy and the address on the LAN at once; poolers reload the same",
            objects=(*CLUSTER, *POLICY, *POOLER),
            when=fewer,
            said="one goes",
        ),
        reload("pg_hba, the NetworkPolicy and the address on the LAN admit more clients", *CLUSTER, *POLICY, *POOLER),
    ),
    "network.namespaces": (SAME_SET, access("the NetworkPolicy lets pods of other namespaces through", *POLICY)),
    "network.networkPolicy": (access("networks are enforced below PostgreSQL too, or no more", *POLICY),),
    "network.authentication": (access("pg_hba asks for another password method from now on", *CLUSTER, *POOLER),),
    "network.tls": (access("pg_hba takes or rejects connections without TLS from the next one on", *CLUSTER, *POOLER),),
    "network.clusterDomain": (nothing("only the endpoints that pgha prints are spelt otherwise"),),
    "pooler": (
        Case(
            level=Level.RESTART,
            reason="the pooler goes, and every session through it ends",
            objects=POOLERS,
            when=goes,
            said="it goes",
        ),
        nothing("the operator makes the pooler beside the servers", *POOLERS),
    ),
    "pooler.instances": (
        Case(
            level=Level.RESTART,
            reason="the sessions through the pods that go end",
            objects=POOLER,
            when=fewer,
            said="fewer",
        ),
        nothing("more pods; sessions stay where they are", *POOLER),
    ),
    "pooler.mode": (reload("PgBouncer reloads; clients that count on sessions feel the difference", *POOLER),),
    "pooler.maxClientConnections": (reload("PgBouncer reloads", *POOLER),),
    "pooler.poolSize": (reload("PgBouncer reloads", *POOLER),),
    "pooler.image": (
        Case(level=Level.RESTART, reason="the pooler's pods are replaced one after another", objects=POOLER),
    ),
    "pooler.perApplication": (
        SAME_SET,
        Case(
            level=Level.RESTART,
            reason="a pooler goes, and every session through it ends",
            objects=POOLERS,
            when=fewer,
            said="one goes",
        ),
        nothing("the operator makes a pooler of its own for the database", *POOLERS),
    ),
}
