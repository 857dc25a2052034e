"""The sentences that are sharper than their rule's general one."""

from collections.abc import Callable

import pytest

from pgha.config import Problem

Find = Callable[[str | bytes], list[Problem]]
POOL = "pool: {addresses: [192.168.10.100-192.168.10.110]}"
SENTENCES = [
    (
        "replication: {mode: sync, synchronousStandbys: 5}",
        "replication.synchronousStandbys: must be at most 2, got 5; ",
    ),
    (
        "replication: {durability: preferred}",
        "replication.durability: must stand only beside mode: sync, got preferred; ",
    ),
    ("namespace: argocd", "namespace: must be a namespace of the cluster's own, got argocd (Argo CD runs in it); "),
    (
        "gitops: {argocdNamespace: cd}\nnamespace: cd",
        "namespace: must be a namespace of the cluster's own, got cd (Argo CD",
    ),
    ("users: [{name: app}, {name: Replica, databases: [app]}]", "users[1].name: must be lower case without hyphens to"),
    ("users: [{name: STREAMING_REPLICA}]", "got STREAMING_REPLICA (reserved for replication (CloudNativePG)); "),
    ("users: [{name: app}, {name: ca, databases: [app]}]", "got demo-ca, which belongs to engine cloudnative-pg; "),
    (
        "users: [{name: app, passwordSecret: s}, {name: b, passwordSecret: s, databases: [app]}]",
        "users[1].passwordSecret: must have a Secret of its own, got s, which belongs to user app; ",
    ),
    (f"users: [{{name: app}}, {{name: {'u' * 60}, databases: [app]}}]", "must have a Secret whose name has at most 63"),
    ("databases: [{name: shop, owner: app, encoding: UTF-9}]", "got UTF-9; did you mean UTF8?"),
    ("databases: [{name: shop, owner: app, collation: de_DE.LATIN1}]", "got de_DE.LATIN1 for UTF8; write en_US.UTF-8"),
    ("users: [{name: app, privileges: [SELCT]}]", "users[0].privileges[0]: must be one of CONNECT, SELECT, "),
    (
        f"network: {{loadBalancer: {{address: 192.168.10.99, {POOL}}}}}",
        "must lie in the pool 192.168.10.100-192.168.10.110",
    ),
    (f"network: {{loadBalancer: {{{POOL}}}}}", "network.loadBalancer.address: must be given, got nothing; add it, for"),
    (
        "network: {loadBalancer: {address: 192.168.1.1, pool: {addresses: []}}}",
        "pool.addresses: must hold a range, got an",
    ),
    ("network: {networks: [10.0.0.0/8, 10.1.2.3/33]}", "network.networks[1]: must be a network such as 192.168.1.0/24"),
    (
        "network: {clusterDomain: ''}",
        'network.clusterDomain: must be a DNS name in lower case, got ""; write cluster.local',
    ),
    ('postgresql: {version: "16.10"}', 'got 16.10; write "16" and pin the minor version with postgresql.image'),
    ("postgresql: {version: 16}", 'postgresql.version: must be text, got 16; write the major version in quotes: "16"'),
    (
        "postgresql: {parameters: {wal_keep_segments: 8}}",
        "it was removed in PostgreSQL 13: use wal_keep_size (16MB per",
    ),
    ("postgresql: {parameters: {checkpoint_segments: 32}}", "it was removed in PostgreSQL 9.5: use max_wal_size"),
    ("postgresql: {parameters: {work_mem: [1]}}", "must be text, a number or true or false, got a list; "),
    ("postgresql: {parameters: {shared_buffers: 2Gi}}", "got 2Gi; PostgreSQL writes 2GB, not 2Gi"),
    (
        "postgresql: {parameters: {ssl: off}}",
        "postgresql.parameters.ssl: must be left to the engine, got off; use network.tls",
    ),
    ('postgresql: {image: "example.com/pg@sha256:00"}', "must have a tag (the operator reads the version from it)"),
    ("storage: {size: 50GB}", "storage.size: must be a Kubernetes quantity, got 50GB; did you mean 50Gi?"),
    ("storage: {walSize: 512m}", "storage.walSize: must be at least 1Mi, got 512m; did you mean 512Mi?"),
    ("resources: {limits: {cpu: '5000'}}", "resources.limits.cpu: must lie between 1m and 1024, got 5000; "),
    (
        "resources: {requests: {memory: 64Mi}}",
        "resources.requests.memory: must fit into the memory request, got shared_b",
    ),
    ("storage: {walSize: 1Gi}", "storage.walSize: must be smaller than its volume, got max_wal_size 1Gi on 1Gi; "),
    (
        "pooler: {instances: 9}",
        "pooler: must leave room for every pooled connection, got 9 pods x 25 x 1 pairs of user and",
    ),
    ("backup: {schedule: 0 2 * *}", "backup.schedule: must be five or six fields of cron, got 0 2 * *; "),
    ("backup: {schedule: 60 2 * * *}", "must have a valid minute (0-59), got 60 2 * * *; correct that field"),
    ("backup: {schedule: '0 2 ? * *'}", "must be plain cron, got 0 2 ? * *; write it without ?"),
    ("backup: {schedule: '0 0 31 4,6 *'}", "backup.schedule: must come due one day, got 0 0 31 4,6 *; "),
    (
        "backup: {volume: {}}",
        "backup.volume: must not be given (its backups are physical and go to backup.objectStore)",
    ),
    ("silence: [PGHA-W06]", "silence[0]: must name a warning, got PGHA-W06; did you mean PGHA-W"),
    ("silence: [PGHA-E401]", "silence[0]: must name a warning, got PGHA-E401; mend it: an error cannot be silenced"),
    ("instances: true", "instances: must be a whole number, got true; write a whole number"),
    ("instances: 2.5", "instances: must be a whole number, got 2.5; write a whole number"),
    ("monitoring: {enabled: 'yes'}", 'must be true or false, got "yes"; write true or false, without quotes'),
    (
        "engine: CloudnativePG",
        "engine: must be one of cloudnative-pg, bitnami, got CloudnativePG; did you mean cloudnative-pg?",
    ),
    ("pooler:", "pooler: must have a value, got nothing; give a value, or delete the key to have its default"),
]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES, ids=[text[:50] for text, _ in SENTENCES])
def test_says(problems: Find, text: str, sentence: str) -> None:
    found = [problem.sentence for problem in problems(f"name: demo\ndelivery: tofu\n{text}\n")]
    assert any(sentence in each for each in found), found


@pytest.mark.parametrize(
    ("schedule", "engine"),
    [
        ("0 2 * * *", "bitnami"),
        ("0 2 * * SUN", "bitnami"),
        ("*/30 1-3 1,15 JAN-JUN 0-6", "cloudnative-pg"),
        ("0 0 2 * * *", "cloudnative-pg"),
        ("0 0 29 2 *", "bitnami"),
    ],
)
def test_accepts_schedules_that_both_sides_understand(problems: Find, schedule: str, engine: str) -> None:
    text = f"name: demo\ndelivery: tofu\nengine: {engine}\nbackup: {{schedule: '{schedule}'}}\n"
    assert not [
        problem for problem in problems(text) if problem.path == "backup.schedule" and problem.severity == "error"
    ]


def test_pgpool_without_numbers_is_counted_with_the_engines(problems: Find) -> None:
    text = "name: demo\ndelivery: tofu\nengine: bitnami\npostgresql: {parameters: {max_connections: 200}}\n"
    found = problems(f"{text}pooler: {{instances: 2}}\n")
    assert [problem.value for problem in found] == ["2 pods x 128 children x 1 = 256 of 187"]


@pytest.mark.parametrize(
    ("schedule", "days", "size", "kept"),
    [
        ("0 2 * * *", 7, "30Gi", 8),
        ("0 2 * * *", 30, "150Gi", 31),
        ("0 */6 * * *", 7, "100Gi", 29),
        ("0 2 * * 0", 14, "10Gi", 3),
    ],
)
def test_room_for_dumps_is_counted(problems: Find, schedule: str, days: int, size: str, kept: int) -> None:
    """Every dump of the retention, and the one that is being written, a tenth of 50Gi each."""
    text = "name: a\nengine: bitnami\ndelivery: tofu\nbackup: {schedule: %s, retentionDays: %d, volume: {size: %s}}\n"
    found = [problem for problem in problems(text % (f'"{schedule}"', days, size)) if problem.code == "PGHA-W712"]
    assert [problem.value.partition(" for each of ")[2] for problem in found] == [f"{kept} dumps of a volume of 50Gi"]
    enough = f"{5 * kept}Gi"
    assert "PGHA-W712" not in [problem.code for problem in problems(text % (f'"{schedule}"', days, enough))]


@pytest.mark.parametrize(
    ("pool", "gateway"),
    [
        ("192.168.9.1-192.168.9.5", "192.168.9.1"),
        ("192.168.9.0/28", "192.168.9.1"),
        ("192.168.9.250-192.168.10.3", "192.168.10.1"),
        ("192.168.9.2-192.168.9.254", None),
        ("192.168.9.16/28", None),
    ],
)
def test_a_gateway_in_the_pool(problems: Find, pool: str, gateway: str | None) -> None:
    text = (
        f"name: a\ndelivery: tofu\nnetwork: {{loadBalancer: {{address: 192.168.9.4, pool: {{addresses: [{pool}]}}}}}}\n"
    )
    found = [problem.value for problem in problems(text) if problem.code == "PGHA-W413"]
    assert found == ([f"{pool}, which holds {gateway}"] if gateway else [])
