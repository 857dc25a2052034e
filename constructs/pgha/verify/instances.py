"""Every instance asked for itself, over its local socket: no Service, pooler or proxy can answer in its place.

As the server's superuser inside the pod, which needs the right to create `pods/exec`; every statement only reads.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pgha.config.model import Cluster
from pgha.delivery.kubernetes import Api, ApiError
from pgha.engines import engine_of
from pgha.resources.metadata import Object
from pgha.verify.readings import Missing, unread

Instance = dict[str, Any]
"""What one instance says about itself (GLANCE, DETAILS), or `error` alone."""

GLANCE = """
'in_recovery', pg_is_in_recovery(),
'version', current_setting('server_version'),
'system', (SELECT system_identifier::text FROM pg_control_system()),
'timeline', CASE WHEN pg_is_in_recovery() THEN (SELECT received_tli FROM pg_stat_wal_receiver)
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
'position', CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn,
'received', (pg_last_wal_receive_lsn() - '0/0'::pg_lsn),
'replay_paused', CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END,
'replay_age', extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()),
'receiver', (SELECT json_build_object('status', status, 'sender', sender_host) FROM pg_stat_wal_receiver),
'standbys', (SELECT json_agg(json_build_object('name', application_name, 'state', state, 'sync', sync_state))
    FROM pg_stat_replication WHERE state <> 'backup'),
'clients', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
'max_connections', current_setting('max_connections')::int,
'bytes', (SELECT sum(pg_database_size(oid)) FROM pg_database) + (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()),
'started', pg_postmaster_start_time()
"""
"""For `pgha status`; positions are bytes of the write-ahead log."""

DETAILS = """
'settings', (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name = ANY (:settings)),
'units', (SELECT json_object_agg(name, unit) FROM pg_settings WHERE name = ANY (:settings) AND unit IS NOT NULL),
'pending_restart', (SELECT json_agg(name) FROM pg_settings WHERE pending_restart),
'checksum_failures', (SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database),
'archiver', (SELECT json_build_object('segment', last_archived_wal, 'at', last_archived_time,
    'failed_segment', last_failed_wal, 'failed_at', last_failed_time) FROM pg_stat_archiver),
'hba', (SELECT json_agg(json_build_object('line', line_number, 'type', type, 'database', database, 'user', user_name,
    'address', address, 'netmask', netmask, 'method', auth_method, 'error', error)) FROM pg_hba_file_rules),
'databases', (SELECT json_agg(json_build_object('name', datname, 'owner', pg_get_userbyid(datdba),
    'encoding', pg_encoding_to_char(encoding), 'collation', datcollate)) FROM pg_database WHERE NOT datistemplate),
'roles', (SELECT json_agg(json_build_object('name', rolname, 'superuser', rolsuper, 'login', rolcanlogin,
    'limit', rolconnlimit, 'password', CASE WHEN rolpassword IS NULL THEN 'none'
        WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'scram-sha-256' ELSE 'md5' END)) FROM pg_authid)
"""
"""What the checks ask beyond it; `:settings` is an array of parameters' names."""

SETTINGS = (
    "data_checksums",
    "fsync",
    "full_page_writes",
    "max_connections",
    "superuser_reserved_connections",
    "synchronous_commit",
    "synchronous_standby_names",
    "wal_receiver_timeout",
    "wal_sender_timeout",
)


def ask(api: Api, cluster: Cluster, pod: str, sql: str, database: str = "postgres") -> str:
    """What one instance answers to a statement, unaligned, without a header.

    Raises:
        ApiError: It may not be asked, or it does not answer.
    """
    shell = engine_of(cluster).shell(cluster)
    return api.execute(
        cluster.namespace,
        pod,
        shell.container,
        [*shell.psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql],
    )


def read(api: Api, cluster: Cluster, pods: list[Object], *, glance: bool = False) -> dict[str, Instance] | Missing:
    """By pod name what each instance says; `error` for one that does not answer."""
    names = sorted({*SETTINGS, *cluster.postgresql.settings})
    wanted = "ARRAY[" + ", ".join("'" + name.replace("'", "''") + "'" for name in names) + "]"
    asked = GLANCE if glance else f"{GLANCE}, {DETAILS.replace(':settings', wanted)}"
    sql = f"SELECT json_build_object({asked})"
    return each(pods, lambda name: json.loads(ask(api, cluster, name, sql)))


def each(pods: list[Object], question: Callable[[str], Instance]) -> dict[str, Instance] | Missing:
    """Every pod asked at the same time. Missing where none may be asked at all."""

    def one(pod: Object) -> Instance:
        try:
            return question(pod["metadata"]["name"])
        except ApiError as error:
            return {"error": error.what, "forbidden": error.status == 403}
        except json.JSONDecodeError:
            return {"error": "its answer was lost on the way"}

    if not pods:
        return unread("there is no pod of an instance")
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip((pod["metadata"]["name"] for pod in pods), pool.map(one, pods), strict=True))
    if all(entry.get("forbidden") for entry in found.values()):
        return unread("this account may not create pods/exec, so no instance can be asked over its socket")
    return found
