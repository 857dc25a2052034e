"""Passwords from AWS Secrets Manager: the definitions and API server are real, as are operator and PostgreSQL.

Entries are in moto's server and the Secrets are written by a stand-in for External Secrets' controllers
(secrets_manager.py says why); the last test asks the real controllers, wherever a cluster has them.
"""

import base64
import json
import secrets
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from custom_resources import install_crds
from running_lab import Database, Finished, eventually, run
from secrets_manager import REGION, SecretsManager, Stand, secrets_manager

from lab.home import KUBECONFIG
from pgha.config import load
from pgha.engines import plan

pytestmark = pytest.mark.lab

NAMESPACE = "vault"
ADDRESS = "192.168.10.103"
FILE = f"""
name: vault
namespace: {NAMESPACE}
delivery: tofu
instances: 2
postgresql: {{ version: "17" }}
resources:
  requests: {{ cpu: 100m, memory: 256Mi }}
  limits: {{ cpu: "1", memory: 512Mi }}
storage: {{ size: 10Gi }}
databases: [{{ name: app, owner: app }}]
users:
  - {{ name: app }}
  - {{ name: report, databases: [app], privileges: [CONNECT, SELECT] }}
  - {{ name: shop, databases: [app], privileges: [CONNECT, SELECT], authentication: cert }}
network:
  loadBalancer:
    address: {ADDRESS}
    pool: {{ addresses: [192.168.10.100-192.168.10.110], name: lab, create: false }}
  networks: [10.244.0.0/16, 192.168.10.0/24]
  podCidr: 10.244.0.0/16
  serviceCidr: 10.96.0.0/16
monitoring: {{ enabled: false }}
credentials:
  source: aws-secrets-manager
  superuserAccess: true
  awsSecretsManager:
    region: {REGION}
    store: vault
    storeKind: SecretStore
    createStore: true
    accessKeysSecret: aws-access-keys
    superuserKey: vault/admin-credentials
    userKeys: {{ app: vault/app-credentials, report: vault/report-credentials }}
silence: [PGHA-W607]  # 512Mi for 100 connections: nobody opens a hundred here
"""
ENTRIES = {"app": "vault/app-credentials", "report": "vault/report-credentials", "postgres": "vault/admin-credentials"}
SECRETS = {"app": "vault-app", "report": "vault-report", "postgres": "vault-superuser"}


def new_password() -> str:
    """With what a URI, a shell or a quoted string would have to escape."""
    return secrets.token_urlsafe(18) + "'$\"{{ %"


class Vault:
    """The cluster `vault`, the entries that its passwords come from, and what stands for the controllers."""

    def __init__(self, database: Database, entries: SecretsManager, file: Path) -> None:
        self.database, self.entries, self.file = database, entries, file
        self.stand = Stand(database, entries, NAMESPACE)
        self.passwords = {user: new_password() for user in ENTRIES}
        self.printed: list[str] = []

    def put(self, user: str, **value: str) -> None:
        self.entries.put(ENTRIES[user], **({"username": user, "password": self.passwords[user]} | value))

    def pgha(self, *words: str) -> Finished:
        done = run(str(Path(sys.executable).with_name("pgha")), *words, f"--kubeconfig={KUBECONFIG}")
        self.printed.append(done.out)
        return done

    def up(self, timeout: int = 300) -> Finished:
        return self.pgha("up", str(self.file), f"--timeout={timeout}")

    def down(self) -> None:
        done = self.pgha("down", str(self.file), "--destroy=vault")
        assert done.code == 0, done.out

    def get(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.database.kubectl("get", f"--namespace={NAMESPACE}", "--output=json", *words)
        )
        return found

    def connect(self, user: str, password: str) -> str:
        """Who the server says it is; raises psycopg's error where it refuses."""
        settings: dict[str, Any] = {"host": "127.168.10.103", "dbname": "app", "connect_timeout": 5}
        with psycopg.connect(user=user, password=password, **settings) as connection:
            row = connection.execute("select current_user").fetchone()
        assert row is not None
        return str(row[0])

    def refused(self, user: str, password: str) -> bool:
        try:
            self.connect(user, password)
        except psycopg.OperationalError as error:
            return "password authentication failed" in str(error)
        return False

    def accepted_at(self, user: str, password: str, deadline: float) -> float | None:
        """When the server first let this password in; None where it did not by the deadline."""
        while time.monotonic() < deadline:
            try:
                self.connect(user, password)
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return time.monotonic()
        return None

    def pods(self) -> dict[str, tuple[str, int]]:
        """Instances → uid and restarts: what a restart would change."""
        items = self.get("pods", "--selector=cnpg.io/podRole=instance")["items"]
        return {
            item["metadata"]["name"]: (
                item["metadata"]["uid"],
                sum(entry["restartCount"] for entry in item["status"]["containerStatuses"]),
            )
            for item in items
        }


@pytest.fixture(scope="module")
def vault(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """The file and the entries; the first test brings the cluster up. Removed at the end."""
    install_crds(database, "external-secrets")
    file = tmp_path_factory.mktemp("vault") / "vault.yaml"
    file.write_text(FILE)
    with secrets_manager() as entries:
        vault = Vault(database, entries, file)
        vault.down()  # what an interrupted run may have left
        try:
            yield vault
        finally:
            vault.down()


def test_up_waits_for_the_secrets_and_says_which(vault: Vault) -> None:
    done = vault.up(timeout=15)
    assert done.code != 0
    assert "ExternalSecret vault-app: the External Secrets controller has not seen it yet" in done.out
    # The operator waits as well: nothing was started with a password of its own making.
    assert "vault-app" not in {item["metadata"]["name"] for item in vault.get("secrets")["items"]}


def test_an_entry_that_is_missing_is_named(vault: Vault) -> None:
    vault.put("app")
    vault.stand.sync()
    done = vault.up(timeout=15)
    assert done.code != 0
    assert "could not get secret data from provider" in done.out


def test_the_same_command_continues_once_they_are_filled(vault: Vault, figures: list[str]) -> None:
    for user in ENTRIES:
        vault.put(user)
    vault.stand.sync()
    done = vault.up()
    assert done.code == 0, done.out
    figures.append(f"up, from filled Secrets to connections from pod and LAN: {done.seconds:.0f} s")
    for user, password in vault.passwords.items():
        assert vault.connect(user, password) == user


def test_each_secret_has_the_shape_that_the_operator_reads(vault: Vault) -> None:
    for user, name in SECRETS.items():
        secret = vault.get(f"secret/{name}")
        assert secret["type"] == "kubernetes.io/basic-auth"
        assert secret["metadata"]["labels"]["cnpg.io/reload"] == "true"
        assert {key: base64.b64decode(text).decode() for key, text in secret["data"].items()} == {
            "username": user,
            "password": vault.passwords[user],
        }
    # No other password is about: neither generated by us nor by the operator.
    found = {item["metadata"]["name"] for item in vault.get("secrets", "--field-selector=type!=x")["items"]}
    assert found == {
        "vault-app", "vault-report", "vault-superuser", "vault-ca", "vault-server", "vault-replication",
        "vault-shop-client-cert", "vault-heartbeat-client-cert",
    }  # fmt: skip


def test_a_second_up_changes_nothing(vault: Vault) -> None:
    # The operator may still be writing the state of a new role, which looks like a change of its object.
    for _ in range(3):
        done = vault.up()
        assert done.code == 0, done.out
        if "nothing changed" in done.out:
            return
    assert "nothing changed" in done.out


@pytest.mark.parametrize("user", ["app", "report", "postgres"])
def test_a_new_password_is_taken_up_without_a_restart(vault: Vault, user: str, figures: list[str]) -> None:
    pods, old = vault.pods(), vault.passwords[user]
    settings: dict[str, Any] = {"host": "127.168.10.103", "dbname": "app", "autocommit": True}
    with psycopg.connect(user=user, password=old, **settings) as session:
        vault.passwords[user] = new_password()
        vault.put(user)
        assert vault.connect(user, old) == user  # in AWS alone it changes nothing
        with ThreadPoolExecutor(1) as pool:  # it may be faster than the stand's next request
            accepted = pool.submit(vault.accepted_at, user, vault.passwords[user], time.monotonic() + 120)
            vault.stand.sync()
            at = accepted.result()
        assert at is not None
        seconds = at - vault.stand.written[SECRETS[user]]
        figures.append(f"rotation of {user}: from the Secret to the first login: {seconds:.1f} s")
        assert vault.refused(user, old)
        assert session.execute("select 1").fetchone() == (1,)  # who is in stays in
    assert vault.pods() == pods


def test_an_entry_that_vanishes_takes_no_password_away(vault: Vault) -> None:
    vault.entries.delete(ENTRIES["report"])
    vault.stand.sync()
    assert vault.connect("report", vault.passwords["report"]) == "report"
    done = vault.up(timeout=10)
    assert done.code != 0
    assert "ExternalSecret vault-report: could not get secret data from provider" in done.out
    vault.put("report")
    vault.stand.sync()
    assert vault.up().code == 0


def test_an_entry_of_another_role_is_found_out(vault: Vault) -> None:
    """Whoever writes the admin's entry under a user's name must not give the user the admin's password."""
    vault.put("report", username="postgres", password=vault.passwords["postgres"])
    vault.stand.sync()
    time.sleep(5)  # longer than a rotation takes
    assert vault.refused("report", vault.passwords["postgres"])
    assert vault.connect("report", vault.passwords["report"]) == "report"
    vault.put("report")
    vault.stand.sync()


def test_a_certificate_lets_in_its_own_user_and_nobody_without_one(vault: Vault, tmp_path: Path) -> None:
    for secret, keys in (("vault-shop-client-cert", ("tls.crt", "tls.key")), ("vault-ca", ("ca.crt",))):
        data = vault.get(f"secret/{secret}")["data"]
        for key in keys:
            (tmp_path / key).write_bytes(base64.b64decode(data[key]))
            (tmp_path / key).chmod(0o600)
    settings: dict[str, Any] = {
        "host": "127.168.10.103", "dbname": "app", "user": "shop", "sslmode": "verify-ca", "connect_timeout": 5,
        "sslrootcert": str(tmp_path / "ca.crt"),
    }  # fmt: skip
    own = {"sslcert": str(tmp_path / "tls.crt"), "sslkey": str(tmp_path / "tls.key")}
    with psycopg.connect(**settings, **own) as connection:
        assert connection.execute("select current_user").fetchone() == ("shop",)
    with psycopg.connect(**settings | {"user": "postgres", "password": vault.passwords["postgres"]}) as connection:
        query = "select rolname, rolpassword is null from pg_authid where rolname in ('app', 'shop') order by 1"
        assert connection.execute(query).fetchall() == [("app", False), ("shop", True)]
    for other, words in (
        ({"password": "guessed"}, "requires a valid client certificate"),
        ({"sslmode": "disable", "password": "guessed"}, "pg_hba.conf rejects connection"),
        (own | {"user": "report", "password": "guessed"}, "password authentication failed"),
    ):
        with pytest.raises(psycopg.OperationalError, match=words):
            psycopg.connect(**settings | other)


def test_no_password_was_printed(vault: Vault) -> None:
    printed = "".join(vault.printed)
    assert "vault-app" in printed
    for password in vault.passwords.values():
        assert password not in printed


def test_the_real_controllers(database: Database, tmp_path: Path) -> None:
    """Where External Secrets runs: its own provider for tests is asked by our ExternalSecret, and asked again."""
    words = ("get", "deployments", "--all-namespaces", "--selector=app.kubernetes.io/name=external-secrets")
    if not json.loads(database.kubectl(*words, "--output=json"))["items"]:
        pytest.skip("NOT RUN: no External Secrets controllers in this cluster: they cannot be built here")
    namespace = "vault-real"
    file = tmp_path / "vault.yaml"
    file.write_text(FILE.replace("region:", "refreshInterval: 1s\n    region:"))
    objects = plan(load(file)).stack
    wanted = next(obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == ("ExternalSecret", "vault-app"))
    wanted["metadata"]["namespace"] = namespace

    def apply(password: str) -> None:
        text = json.dumps({"username": "app", "password": password})
        provider = {"fake": {"data": [{"key": ENTRIES["app"], "value": text}]}}
        store = {
            "apiVersion": wanted["apiVersion"],
            "kind": "SecretStore",
            "metadata": {"name": "vault", "namespace": namespace},
            "spec": {"provider": provider},
        }
        items = {"apiVersion": "v1", "kind": "List", "items": [store, wanted]}
        database.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=json.dumps(items))

    def filled(password: str) -> bool:
        secret = json.loads(database.kubectl("get", "secret/vault-app", f"--namespace={namespace}", "--output=json"))
        return bool(
            base64.b64decode(secret["data"]["password"]).decode() == password
            and secret["type"] == "kubernetes.io/basic-auth"
            and secret["metadata"]["labels"]["cnpg.io/reload"] == "true"
        )

    database.kubectl("create", "namespace", namespace)
    try:
        for password in (new_password(), new_password()):
            apply(password)
            eventually(lambda password=password: filled(password), within=120)
    finally:
        database.kubectl("delete", "namespace", namespace)
