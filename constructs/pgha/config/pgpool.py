"""Pgpool-II's size: what the rules count and what engine bitnami writes."""

from typing import NamedTuple

from pgha.config.access import Pooler


class Size(NamedTuple):
    """Each child serves one client and keeps `pool` server connections."""

    pods: int = 2
    """So that one may fail."""
    children: int = 128
    """Per pod: the 100 clients of spec, SC-003, in one pod alone, and a margin."""
    pool: int = 1


def pgpool(pooler: Pooler | None) -> Size:
    """The file's numbers, and those above where it gives none."""
    if pooler is None:
        return Size()
    default = Size()
    return Size(
        pods=pooler.instances,
        children=pooler.max_client_connections if pooler.sets("max_client_connections") else default.children,
        pool=pooler.pool_size if pooler.sets("pool_size") else default.pool,
    )
