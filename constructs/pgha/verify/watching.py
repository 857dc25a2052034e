"""Recording availability: the client probes from the LAN, or from this machine, and a ledger keeps what it saw."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pgha.config.problems import UserError
from pgha.delivery.proof import credentials, endpoint
from pgha.resources.credentials import logins
from pgha.verify import lan
from pgha.verify.ledger import INTERVAL, Ledger, summary
from pgha.verify.sources import Sources


def watch(sources: Sources, path: Path, say: Callable[[str], None]) -> None:
    """Probe the LAN address until somebody ends it; what was counted is written also then.

    Raises:
        UserError: The file offers no address for the LAN, or the client ended by itself.
    """
    cluster, end = sources.cluster, endpoint(sources.cluster, "lan")
    if end is None:
        raise UserError("the file offers no address for the LAN", "add network.loadBalancer: a probe stands outside")
    way = logins(cluster)[0]
    _, password = credentials(sources.api, cluster.namespace, way.secret)
    request = {
        "steps": ["watch"],
        "interval": INTERVAL,
        "endpoints": [{"host": end.host, "port": end.port, "tls": end.sslmode}],
        "logins": [{"user": way.user, "database": way.database, "password": password}],
    }
    ledger = Ledger(path)
    try:
        with lan.started(request, sources.target.lan) as process:
            for line in process.stdout or ():
                probe = json.loads(line)
                ledger.add(datetime.fromtimestamp(probe["at"], UTC), ok=probe["ok"], seconds=probe.get("seconds", 0.0))
                seen = summary(path)
                state = "available" if probe["ok"] else f"not available: {probe.get('error')}"
                say(f"{state}; {seen.share_seen:.2%} of 30 days seen, {seen.minutes_down:.1f} min of them down")
    finally:
        ledger.close()
    raise UserError("the client ended by itself", "look whether the LAN is there, then run it again; it goes on")
