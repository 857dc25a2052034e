"""What the exporter asks beside its own: the numbers that the alerts need, named so that no release renames them."""

from pgha.resources.metadata import Object


def queries() -> Object:
    """The exporter's custom queries. A metric is called QUERY_COLUMN."""
    return {
        "pgha_server": {
            "query": (
                "SELECT pg_is_in_recovery()::int AS in_recovery, "
                "(SELECT count(*) FROM pg_stat_wal_receiver) AS receivers, "
                "(SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming') AS standbys, "
                "CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
                "ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END "
                "AS lag_seconds, "
                "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections, "
                "(SELECT sum(pg_database_size(oid)) FROM pg_database) "
                "+ (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()) AS used_bytes"
            ),
            "master": True,
            "metrics": [
                _gauge("in_recovery", "1 on a standby, 0 on a primary"),
                _gauge("receivers", "WAL receivers: 1 on a standby that follows a primary"),
                _gauge("standbys", "Standbys that stream from this server"),
                _gauge("lag_seconds", "Age of the last replayed transaction while received WAL waits to be replayed"),
                _gauge("connections", "Client connections"),
                _gauge("used_bytes", "Databases and write-ahead log on disk"),
            ],
        }
    }


def _gauge(column: str, description: str) -> Object:
    return {column: {"usage": "GAUGE", "description": description}}
