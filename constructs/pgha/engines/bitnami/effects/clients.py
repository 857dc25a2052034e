"""Databases, users, networks and Pgpool-II."""

from pgha.engines.bitnami.effects.server import sized
from pgha.engines.bitnami.effects.words import (
    CERTIFICATE,
    FILES,
    JOB,
    PGPOOL,
    POLICY,
    POOL,
    SECRET,
    SERVICE,
    WATCH,
    access,
    job,
    nothing,
    pgpool,
    replaced,
)
from pgha.engines.effects import Case, Level, Rules
from pgha.engines.effects.common import NOTHING, SAME_SET, fewer, goes, refused

_GRANTS = (
    SAME_SET,
    Case(
        level=Level.BY_HAND,
        reason="the Job gives privileges and takes none away",
        objects=JOB,
        remedy="REVOKE what is no longer listed, as the owner of the database",
        when=fewer,
        said="one goes",
    ),
    job("grants them, on what exists too"),
)
ROLES: Rules = {
    "databases[].name": (
        Case(
            level=Level.BY_HAND,
            reason="nothing drops a database: it stays, with its data",
            objects=JOB,
            remedy="drop it by hand, if it is really to go",
            when=goes,
            said="it goes",
        ),
        job("creates the database", level=Level.NOTHING),
    ),
    "databases[].owner": (job("gives the database, but not what is in it, to another owner"),),
    **{
        f"databases[].{key}": (
            refused(
                f"a database's {key} is fixed when it is made, and the Job leaves one that exists as it is",
                *JOB,
                remedy="make another database with it, and move the data with pg_dump",
            ),
        )
        for key in ("encoding", "collation")
    },
    "users[].name": (
        Case(
            level=Level.BY_HAND,
            reason="nothing drops a role: it stays in PostgreSQL, though Pgpool-II, whose pods are replaced, lets it "
            "in no more",
            objects=(*JOB, *PGPOOL, *SECRET),
            remedy="reassign what it owns and DROP ROLE it by hand",
            when=goes,
            said="it goes",
        ),
        pgpool("a Job makes the role, and Pgpool-II has a list of users", *JOB, *SECRET),
    ),
    "users[].databases": _GRANTS,
    "users[].privileges": _GRANTS,
    "users[].connectionLimit": (job("alters the role; sessions that are open stay"),),
    "users[].superuser": (job("alters the role"),),
    "users[].authentication": (NOTHING,),
    "users[].passwordSecret": (pgpool("the role takes the password of another Secret", *JOB, *SECRET),),
}

NETWORK: Rules = {
    "network.loadBalancer": (access("the address on the LAN comes or goes", *SERVICE, *POOL, *CERTIFICATE),),
    "network.loadBalancer.address": (
        access("the Service moves to another address; connections to the old one end", *SERVICE, *CERTIFICATE),
    ),
    "network.loadBalancer.readOnlyAddress": (NOTHING,),
    "network.loadBalancer.pool.name": (
        access("MetalLB takes the address back and gives it again from the other pool", *SERVICE, *POOL),
    ),
    "network.loadBalancer.pool.addresses": (
        SAME_SET,
        access("this cluster keeps its address; other Services lose one that leaves the pool", *POOL),
    ),
    "network.loadBalancer.pool.autoAssign": (nothing("it is about the next Services only", *POOL),),
    "network.loadBalancer.pool.create": (
        access("the pool changes its owner; without a pool of that name the Service loses its address", *POOL),
    ),
    "network.loadBalancer.hostname": (
        Case(
            level=Level.BY_HAND,
            reason="the certificate is made anew with the other name, but pods copy it when they start",
            objects=CERTIFICATE,
            remedy="restart Pgpool-II: kubectl rollout restart deployment",
            when=lambda change: change.after.network.tls == "required",
            said="with tls required",
        ),
        NOTHING,
    ),
    "network.loadBalancer.externalTrafficPolicy": (
        access("other nodes answer for the address, and Pgpool-II sees other client addresses", *SERVICE),
    ),
    "network.networks": (pgpool("pool_hba.conf is read at the start", *FILES, *SERVICE, *POLICY),),
    "network.namespaces": (SAME_SET, access("the NetworkPolicy lets pods of other namespaces through", *POLICY)),
    "network.networkPolicy": (access("networks are enforced below Pgpool-II too, or no more", *POLICY),),
    "network.authentication": (pgpool("pool_hba.conf is read at the start", *FILES),),
    "network.tls": (replaced("TLS is set up at the start", *PGPOOL, *FILES, *CERTIFICATE),),
    "network.clusterDomain": (replaced("each pod knows the others by their full names", *PGPOOL, *CERTIFICATE),),
    "pooler": sized(pgpool("Pgpool-II always runs, but with other numbers", *WATCH)),
    "pooler.instances": sized(pgpool("the pods that go take their sessions with them, others are added", *WATCH)),
    "pooler.mode": (NOTHING,),
    "pooler.maxClientConnections": sized(pgpool("num_init_children is read at the start", *WATCH)),
    "pooler.poolSize": sized(pgpool("max_pool is read at the start", *WATCH)),
    "pooler.image": (pgpool("another image"),),
    "pooler.perApplication": (NOTHING,),
}
