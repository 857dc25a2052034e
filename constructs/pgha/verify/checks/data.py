"""What was written is there: on every instance, after every commit, as the file describes it."""

from typing import Any

from pgha.config.model import Cluster
from pgha.verify.readings import Readings
from pgha.verify.registry import Verdict, check, failed, not_measured, passed, verdict


@check(
    "SC-004",
    "Every acknowledged write is on every instance",
    source="spec, SC-004: data written is retrieved with 100% consistency; FR-008",
    severity="critical",
    vantage="pod",
    needs=["rows"],
    remedy="pgha status shows which standby does not follow; docs/runbooks/replication.md",
)
def acknowledged(_: Cluster, readings: Readings) -> Verdict:
    """Numbered rows from every vantage, each a commit of its own, looked for by asking each instance itself."""
    rows = readings["rows"]
    count = sum(rows["acknowledged"].values())
    if rows["errors"]:
        return failed(f"{count} acknowledged, then: {rows['errors'][0]['error']}")
    if not count:
        return not_measured("nothing was acknowledged")
    faults = [
        f"{pod}: {lost[0]}" if isinstance(lost[0], str) else f"{pod} lacks {len(lost)} of {count} acknowledged rows"
        for pod, lost in rows["missing"].items()
        if lost
    ]
    origins = ", ".join(f"{number} from the {origin}" for origin, number in rows["acknowledged"].items())
    return verdict(faults, f"{count} acknowledged rows ({origins}), all on each of {len(rows['missing'])} instances")


def _answering(readings: Readings) -> dict[str, dict[str, Any]]:
    return {pod: facts for pod, facts in readings["instances"].items() if "error" not in facts}


@check(
    "FR-004",
    "A committed write is on disk before it is acknowledged",
    source="spec, FR-004: persist data reliably across instance restarts and failures",
    severity="critical",
    needs=["instances"],
    remedy="take the parameter out of the file, or set it back with ALTER SYSTEM RESET and a reload",
)
def durable(_: Cluster, readings: Readings) -> Verdict:
    """The settings fsync, full_page_writes and synchronous_commit are on, and no page has had a wrong checksum."""
    found = _answering(readings)
    if not found:
        return not_measured("no instance answered")
    faults = [
        f"{pod}: {name} is off"
        for pod, facts in found.items()
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if facts["settings"][name] == "off"
    ]
    faults += [
        f"{pod}: {facts['checksum_failures']} pages with a wrong checksum"
        for pod, facts in found.items()
        if int(facts["checksum_failures"])
    ]
    summed = sum(facts["settings"]["data_checksums"] == "on" for facts in found.values())
    return verdict(
        faults,
        f"on {len(found)} instances: fsync, full pages, synchronous commit; checksums on {summed} of them, none wrong",
    )


@check(
    "FR-008",
    "All instances are copies of one database, at one place in its history",
    source="spec, FR-008: data consistency across all instances",
    severity="critical",
    needs=["instances"],
    remedy="an instance of another history has to be made anew from the primary: docs/runbooks/split-brain.md",
)
def one_history(_: Cluster, readings: Readings) -> Verdict:
    """The system identifier and the timeline of every instance, each asked itself."""
    found = _answering(readings)
    if not found:
        return not_measured("no instance answered")
    systems = {pod: facts["system"] for pod, facts in found.items()}
    lines = {pod: facts["timeline"] for pod, facts in found.items() if facts["timeline"] is not None}
    faults = []
    if len(set(systems.values())) > 1:
        faults.append(f"system identifiers differ: {_pairs(systems)}")
    if len(set(lines.values())) > 1:
        faults.append(f"timelines differ: {_pairs(lines)}")
    system, line = next(iter(systems.values())), next(iter(lines.values()), "unknown")
    return verdict(faults, f"{len(found)} instances of system {system} on timeline {line}")


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


@check(
    "DM-3",
    "Databases are there as the file describes them",
    source="data-model, 3. Database",
    needs=["instances"],
    remedy="pgha up makes a missing one; owner, encoding and collation of one that exists change by hand",
)
def databases(cluster: Cluster, readings: Readings) -> Verdict:
    """Name, owner, encoding and collation."""
    found = next(iter(_answering(readings).values()), None)
    if found is None:
        return not_measured("no instance answered")
    live = {each["name"]: each for each in found["databases"]}
    faults = []
    for wanted in cluster.databases:
        entry = live.get(wanted.name)
        if entry is None:
            faults.append(f"there is no database {wanted.name}")
            continue
        faults += [
            f"{wanted.name}: {key} is {entry[key]}, the file says {said}"
            for key, said in (("owner", wanted.owner), ("encoding", wanted.encoding), ("collation", wanted.collation))
            if entry[key] != said
        ]
    return verdict(faults, ", ".join(f"{each.name} of {each.owner}" for each in cluster.databases))


@check(
    "DM-4",
    "Users are there, and no application is a superuser",
    source="data-model, 4. Database User; Security Considerations, RBAC",
    severity="critical",
    needs=["instances"],
    remedy="pgha up makes roles; ALTER ROLE … NOSUPERUSER takes a right back that somebody gave by hand",
)
def users(cluster: Cluster, readings: Readings) -> Verdict:
    """Every user can log in, is no superuser, and its password is kept as SCRAM."""
    found = next(iter(_answering(readings).values()), None)
    if found is None:
        return not_measured("no instance answered")
    live = {each["name"]: each for each in found["roles"]}
    faults = []
    for user in cluster.users:
        role = live.get(user.name)
        if role is None:
            faults.append(f"there is no role {user.name}")
            continue
        if role["superuser"] and not user.superuser:
            faults.append(f"{user.name} is a superuser")
        if not role["login"]:
            faults.append(f"{user.name} may not log in")
        if role["password"] == "md5" and cluster.network.authentication == "scram-sha-256":  # noqa: S105
            faults.append(f"the password of {user.name} is kept as md5")
    return verdict(faults, f"{', '.join(user.name for user in cluster.users)}: no superuser among them")


@check(
    "DM-4.secrets",
    "Every user's password is in its Secret, and nowhere else",
    source="data-model, 4. Database User, password_secret; Credential Management",
    severity="critical",
    needs=["secrets"],
    remedy="pgha up makes a missing Secret; one of your own needs the keys username and password",
)
def secrets(_: Cluster, readings: Readings) -> Verdict:
    """The Secret is there, with the keys username and password, and the user's own name."""
    faults = []
    for user, found in readings["secrets"].items():
        if not found["exists"]:
            faults.append(f"there is no Secret {found['secret']} for {user}")
        elif not {"username", "password"} <= set(found["keys"]):
            faults.append(f"Secret {found['secret']} has the keys {', '.join(found['keys']) or 'none'}")
        elif found["username"] != user:
            faults.append(f"Secret {found['secret']} is of user {found['username']}, not of {user}")
    if faults:
        return failed(*faults)
    return passed(", ".join(f"{user}: Secret {found['secret']}" for user, found in readings["secrets"].items()))
