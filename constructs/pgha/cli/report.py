"""How a running cluster's facts are shown: a table for people, a mapping for programs.

Never a secret's value.
"""

from typing import Any

from rich.console import Console
from rich.table import Table

from pgha.config.model import Cluster
from pgha.delivery.target import Target, relayed
from pgha.engines import engine_of
from pgha.resources.credentials import Login, logins


def endpoint_facts(cluster: Cluster, target: Target | None) -> list[dict[str, Any]]:
    """Role, vantage, host, port, pooled, sslmode, and in the lab the loopback address that leads to it (else null)."""
    in_lab = target is not None and target.is_lab
    return [
        {
            "role": end.role,
            "vantage": end.vantage,
            "host": end.host,
            "port": end.port,
            "pooled": end.pooled,
            "sslmode": end.sslmode,
            "loopback": relayed(end.host, end.port) if in_lab and end.vantage == "lan" else None,
        }
        for end in engine_of(cluster).endpoints(cluster)
    ]


def login_facts(cluster: Cluster) -> list[dict[str, str]]:
    """User, database and the Secret that holds the password."""
    return [
        {"user": way_in.user, "database": way_in.database, "secret": f"{cluster.namespace}/{way_in.secret}"}
        for way_in in logins(cluster)
    ]


def show_endpoints(cluster: Cluster, target: Target | None) -> None:
    """The table, then a line to copy for the first login and each address that leads to the primary."""
    console = Console(highlight=False, soft_wrap=True)
    facts = endpoint_facts(cluster, target)
    table = Table("Role", "From", "Address", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for end in facts:
        address = f"{end['host']}:{end['port']}"
        table.add_row(f"{end['role']}{', pooled' if end['pooled'] else ''}", _FROM[end["vantage"]], address)
        if end["loopback"]:
            table.add_row("", "this machine", f"{end['loopback']}:{end['port']}")
    console.print(table)
    outside = [end for end in facts if end["vantage"] == "lan" and end["role"] == "read-write"]
    if outside and logins(cluster):
        way_in = logins(cluster)[0]
        host = outside[0]["loopback"] or outside[0]["host"]
        console.print(f"\nConnect (the password stays in Secret {cluster.namespace}/{way_in.secret}):")
        if target is not None and target.is_lab:
            console.print("  export KUBECONFIG=$(lab kubeconfig)", markup=False)
        console.print(f"  {psql_line(cluster, way_in, host, outside[0]['sslmode'])}", markup=False)


def psql_line(cluster: Cluster, way_in: Login, host: str, sslmode: str) -> str:
    """A command to copy; the shell fetches the password, nobody reads it."""
    secret = f"kubectl -n {cluster.namespace} get secret {way_in.secret}"
    fetch = f"{secret} -o jsonpath='{{.data.password}}' | base64 -d"
    where = f"host={host} dbname={way_in.database} user={way_in.user} sslmode={sslmode}"
    return f'PGPASSWORD=$({fetch}) psql "{where}"'


_FROM = {"cluster": "pods", "lan": "the LAN"}
