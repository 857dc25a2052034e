"""The version, the parameters, and what the engines keep for themselves."""

import re
from collections.abc import Iterator

from pgha.config.model import Cluster
from pgha.config.parameters import GONE, MAJORS, RENAMED, Parameter, fixed, parameters
from pgha.config.rules.registry import Findings, finding, rule
from pgha.config.text import is_secret, nearest

_PATH = "postgresql.parameters"
_READS = ["postgresql"]
_NAME = re.compile(r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)?\Z", re.ASCII)

_INSTEAD = {
    "port": "network.port is always 5432",
    "listen_addresses": "say who may connect under network.networks",
    "hba_file": "say who may connect under network.networks",
    "synchronous_standby_names": "use replication.mode and replication.synchronousStandbys",
    "shared_preload_libraries": "use postgresql.audit for pgaudit; a parameter of an extension loads it",
    "ssl": "use network.tls",
}


def given(cluster: Cluster) -> Iterator[tuple[str, str, str, Parameter | None]]:
    """Path, name, text and facts of every parameter in the file."""
    known = parameters(cluster.postgresql.version)
    for name, text in cluster.postgresql.settings.items():
        yield f"{_PATH}.{name}", name.lower(), text, known.get(name.lower())


@rule(
    "PGHA-E501",
    must="be a major version that pgha knows",
    remedy=f"write one of {', '.join(MAJORS)}, in quotes; pin a minor version with postgresql.image",
    source="CloudNativePG 1.30: supported releases; reliability: bad input 19",
    reads=["postgresql.version"],
)
def version(cluster: Cluster) -> Findings:
    """Parameters are checked, and images chosen, by major version."""
    if cluster.postgresql.version not in MAJORS:
        major = cluster.postgresql.version.partition(".")[0]
        remedy = f'write "{major}" and pin the minor version with postgresql.image' if major in MAJORS else None
        yield finding("postgresql.version", cluster.postgresql.version, remedy=remedy)


@rule(
    "PGHA-W502",
    must="be a version that still gets fixes",
    remedy="write 16 or newer for a new cluster",
    source="PostgreSQL: versioning policy, 14 ended on 2026-11-12",
    reads=["postgresql.version"],
)
def end_of_life(cluster: Cluster) -> Findings:
    """After five years a major version gets no more security fixes."""
    if cluster.postgresql.version == "14":
        yield finding("postgresql.version", "14")


@rule(
    "PGHA-E503",
    must="be a parameter of this PostgreSQL version",
    remedy="correct the name, or delete it",
    source="PostgreSQL: pg_settings of each major; postgresql-cluster-service: checkpoint_segments",
    reads=_READS,
)
def unknown_parameter(cluster: Cluster) -> Findings:
    """The operator and the chart hand parameters on unread; the server then refuses to start, on every instance.

    The seed's own `checkpoint_segments` went away with 9.5. A name with a dot belongs to an extension and is not
    known here.
    """
    known = parameters(cluster.postgresql.version)
    kept = fixed(cluster.engine)
    for path, name, _, facts in given(cluster):
        if not known or facts or name in RENAMED or name in kept:
            continue
        if not _NAME.match(name):
            yield finding(path, name, must="be a parameter's name")
        elif "." not in name:
            remedy = None
            if name in GONE:
                since, instead = GONE[name]
                remedy = f"it was removed in PostgreSQL {since}: {instead}"
            elif later := next((major for major in MAJORS if name in parameters(major)), None):
                remedy = f"it came or went with another version (PostgreSQL {later} has it); delete it"
            elif near := nearest(name, known):
                remedy = f"did you mean {near}?"
            yield finding(path, name, must=f"be a parameter of PostgreSQL {cluster.postgresql.version}", remedy=remedy)


@rule(
    "PGHA-E504",
    must="be left to the engine",
    remedy="delete it",
    source="CloudNativePG v1.30.0: pkg/postgres/configuration.go; bitnami/containers: librepmgr.sh",
    reads=["postgresql", "engine"],
)
def fixed_parameter(cluster: Cluster) -> Findings:
    """The operator refuses the whole cluster; the chart's scripts and repmgr count on the value that they set."""
    for path, name, text, facts in given(cluster):
        if name in fixed(cluster.engine) or (facts and facts.context == "internal"):
            value = "a value that is not shown" if is_secret(name) else text
            yield finding(path, value, remedy=_INSTEAD.get(name))


@rule(
    "PGHA-E505",
    must="be a value that PostgreSQL accepts",
    remedy="correct the value",
    source="PostgreSQL: pg_settings (vartype, unit, min_val, max_val, enumvals)",
    reads=["postgresql", "engine"],
)
def parameter_value(cluster: Cluster) -> Findings:
    """The server refuses to start with a value that it cannot read."""
    for path, name, text, facts in given(cluster):
        if "\n" in text or "\0" in text:
            yield finding(path, text, must="be one line")
        elif facts and name not in fixed(cluster.engine) and (wanted := facts.fault(text)):
            remedy = "PostgreSQL writes 2GB, not 2Gi" if re.search(r"\d\s*[KMGT]i?\Z", text) else None
            yield finding(path, text, must=wanted, remedy=remedy)


@rule(
    "PGHA-W506",
    must="have a unit",
    remedy="write the unit that you mean, such as 512MB",
    source="PostgreSQL: Parameter Names and Values; reliability: bad input 29",
    reads=_READS,
)
def missing_unit(cluster: Cluster) -> Findings:
    """A bare number counts the parameter's own unit, which is rarely the expected one: shared_buffers 512 is 4MB."""
    for path, _, text, facts in given(cluster):
        if facts and facts.is_memory and text.isascii() and text.isdigit() and int(text) > 0 and not facts.fault(text):
            yield finding(path, f"{text} (of {facts.unit})")


@rule(
    "PGHA-W507",
    must="stay on",
    remedy="delete it",
    source="PostgreSQL: Write Ahead Log, Automatic Vacuuming",
    reads=_READS,
)
def dangerous_off(cluster: Cluster) -> Findings:
    """Without fsync or full_page_writes a crash corrupts the data on every instance.

    Without autovacuum the server stops one day to save itself from transaction ID wraparound.
    """
    for path, name, text, _ in given(cluster):
        off = text.lower() in {"off", "false", "no", "0"}
        if off and name in {"fsync", "full_page_writes", "autovacuum"}:
            yield finding(path, text)
        if off and name == "synchronous_commit" and cluster.replication.mode == "sync":
            yield finding(path, text, must="stay on with replication.mode sync")


@rule(
    "PGHA-E508",
    must="allow replication",
    remedy="delete it",
    source="PostgreSQL: wal_level, max_wal_senders; CloudNativePG webhook: wal_level",
    reads=["postgresql", "instances"],
)
def replication_possible(cluster: Cluster) -> Findings:
    """Standbys need wal_level replica or logical, and one sender each with one to spare for a base backup."""
    for path, name, text, facts in given(cluster):
        if name == "wal_level" and text.lower() == "minimal":
            yield finding(path, text, must="be replica or logical")
        limits = name in {"max_wal_senders", "max_replication_slots"} and facts and not facts.fault(text)
        if facts and limits and (facts.amount(text) or 0) <= cluster.standbys:
            yield finding(path, text, must=f"be more than {cluster.standbys}, the number of standbys")


@rule(
    "PGHA-E509",
    must="name a version and be of this major version",
    remedy="write the tag of a release, such as :16.15-standard-trixie",
    source="CloudNativePG webhook: imageName; bitnami/charts issue 36368; reliability: bad inputs 20 and 23",
    reads=["postgresql", "engine", "pooler"],
)
def image(cluster: Cluster) -> Findings:
    """`latest` is a different server every week, and another major version cannot read the data directory."""
    images = {"postgresql.image": cluster.postgresql.image}
    if cluster.pooler:
        images["pooler.image"] = cluster.pooler.image
    for path, text in images.items():
        if text is None:
            continue
        tag = tag_of(text)
        if tag == "latest" or (not tag and "@sha256:" not in text) or text != text.strip() or " " in text:
            yield finding(path, text, must="name a version")
        elif not tag and cluster.engine == "cloudnative-pg":
            yield finding(path, text, must="have a tag (the operator reads the version from it)")
        elif path == "postgresql.image" and _major(tag) not in {"", cluster.postgresql.version}:
            yield finding(path, f"{_major(tag)} beside version {cluster.postgresql.version}")


@rule(
    "PGHA-W510",
    must="be served by its registry",
    remedy="use bitnamilegacy/…, or better a mirror of your own by digest",
    source="bitnami/charts issues 35164 and 36368: versioned images left bitnami/ in 2025",
    reads=["postgresql.image", "pooler"],
)
def gone_image(cluster: Cluster) -> Findings:
    """Versioned tags under bitnami/ were removed in 2025; pods that ask for one stay in ImagePullBackOff."""
    images = [("postgresql.image", cluster.postgresql.image)]
    if cluster.pooler:
        images.append(("pooler.image", cluster.pooler.image))
    for path, text in images:
        if text and re.match(r"(?:[\w.-]+\.io/)?bitnami/", text):
            yield finding(path, text)


def _major(tag: str) -> str:
    """The number that a tag begins with; "" for one that says nothing about the version."""
    found = re.match(r"v?([0-9]{1,2})(?:[^0-9]|\Z)", tag)
    return found[1] if found else ""


def tag_of(image_name: str) -> str:
    """What stands behind the colon of an image's name; "" for none."""
    name = image_name.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]
