"""Parameters and images as CloudNativePG's webhook reads them: what PostgreSQL itself would take is refused there.

From the operator's source at v1.30 (internal/webhook/v1/cluster_webhook.go); tests/lab/test_admission.py asks it.
"""

import re

from pgha.config.model import Cluster
from pgha.config.rules.postgresql import given, tag_of
from pgha.config.rules.registry import Findings, finding, rule

_READS = ["postgresql", "engine"]
_SIZE = re.compile(r"[ +]*(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+) *(?:B|kB|MB|GB|TB)\Z")
_SIZES = ("shared_buffers", "min_wal_size", "max_wal_size")
_PAGES_PER_MB = 128
_VERSION = re.compile(r"([0-9]+)(?:\.[0-9]+)*(?![0-9.])")
_OFF = re.compile(r"(?:of|off|f|fa|fal|fals|false|n|no|0)\Z", re.IGNORECASE)


@rule(
    "PGHA-E511",
    must="be written in lower case",
    remedy="write it as PostgreSQL's manual does",
    source="CloudNativePG webhook: parameters are compared as they are written; PostgreSQL: names are case-insensitive",
    reads=["postgresql"],
)
def lower_case(cluster: Cluster) -> Findings:
    """The server takes any spelling, but operator and chart know only this one, and would let a fixed one through."""
    written = {name.lower(): name for name in cluster.postgresql.parameters}
    for path, name, _, facts in given(cluster):
        if facts and written[name] != name and facts.name == name:
            yield finding(path, written[name], remedy=f"write {name}")


@rule(
    "PGHA-E512",
    must="be a plain number with B, kB, MB, GB or TB",
    remedy="write it as, for example, 512MB",
    source="CloudNativePG webhook: parsePostgresQuantityValue",
    reads=_READS,
)
def sizes(cluster: Cluster) -> Findings:
    """The operator compares these with memory and volumes, and takes a bare number of shared_buffers for megabytes.

    PostgreSQL takes it for pages of 8 kB.
    """
    for path, name, text, facts in given(cluster):
        if cluster.engine != "cloudnative-pg" or name not in _SIZES or (facts and facts.fault(text)):
            continue
        if text.isascii() and text.isdigit():
            if name == "shared_buffers":
                yield finding(path, text, remedy=f"write {max(int(text) // _PAGES_PER_MB, 1)}MB")
        elif not _SIZE.match(text):
            yield finding(path, text)


@rule(
    "PGHA-E513",
    must="be what the operator can work with",
    remedy="delete it",
    source="CloudNativePG webhook: validateConfiguration, validatePgFailoverSlots",
    reads=["postgresql", "engine", "instances"],
)
def needed_values(cluster: Cluster) -> Findings:
    """A rewound primary needs hints in the log, and slots that are copied to standbys need their feedback."""
    if cluster.engine != "cloudnative-pg":
        return
    found = {name: text for _, name, text, _ in given(cluster)}
    for path, name, text, known in given(cluster):
        if name == "wal_log_hints" and _OFF.match(text):
            yield finding(path, text, must="stay on")
        if name == "wal_level" and known and text.lower() in known.values and text not in known.values:
            yield finding(path, text, must="be written in lower case", remedy=f"write {text.lower()}")
        feedback = found.get("hot_standby_feedback")
        if name.startswith("pg_failover_slots.") and (feedback is None or _OFF.match(feedback)):
            yield finding(
                path, text, must="stand beside hot_standby_feedback: on", remedy="add hot_standby_feedback: on"
            )


@rule(
    "PGHA-E514",
    must="have a tag that begins with the version",
    remedy="write the tag of a release, such as :16.15-standard-trixie",
    source="CloudNativePG webhook: validateImageName",
    reads=_READS,
)
def image_version(cluster: Cluster) -> Findings:
    """The operator learns from the tag which PostgreSQL it runs: v16.9 tells it nothing, 20260817 the wrong thing."""
    image = cluster.postgresql.image
    tag = tag_of(image) if image else ""
    if cluster.engine != "cloudnative-pg" or not image or tag in {"", "latest"}:
        return
    version = _VERSION.match(tag)
    if version is None:
        yield finding("postgresql.image", image)
    elif len(version[1]) > 2:
        yield finding("postgresql.image", f"{version[1]} beside version {cluster.postgresql.version}")
