"""What External Secrets is told, for both engines and both kinds of store."""

from typing import Any

import pytest

from pgha.engines import engine_of, plan
from pgha.resources import external_secrets
from tests.support import sample, trio

AWS: dict[str, Any] = {"userKeys": {"app": "postgres/app-credentials"}}


def credentials(**changes: Any) -> dict[str, Any]:
    return {"source": "aws-secrets-manager", "awsSecretsManager": AWS | changes}


def made(kind: str, **changes: Any) -> list[dict[str, Any]]:
    cluster = sample(credentials=credentials(**changes))
    return [obj for obj in plan(cluster).stack if obj["kind"] == kind]


def test_a_secret_of_the_shape_that_the_operator_reads() -> None:
    (found,) = made("ExternalSecret")
    assert found["apiVersion"] == "external-secrets.io/v1"
    assert found["metadata"]["name"] == found["spec"]["target"]["name"] == "db-app"
    assert found["spec"]["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "aws-secrets-manager"}
    assert found["spec"]["refreshInterval"] == "1h"
    template = found["spec"]["target"]["template"]
    assert template["type"] == "kubernetes.io/basic-auth"
    assert template["metadata"] == {"labels": {"cnpg.io/reload": "true"}}
    assert template["data"] == {"username": "{{ .username }}", "password": "{{ .password }}"}
    assert found["spec"]["data"] == [
        {"secretKey": key, "remoteRef": {"key": "postgres/app-credentials", "property": key}}
        for key in ("username", "password")
    ]


def test_nothing_is_generated_beside_it() -> None:
    planned = plan(sample(credentials=credentials()))
    assert planned.secrets == []
    assert external_secrets.objects(sample(), []) == []


def test_the_superuser_has_an_entry_of_its_own() -> None:
    cluster = sample(credentials=credentials(superuserKey="postgres/admin-credentials") | {"superuserAccess": True})
    objects = {(obj["kind"], obj["metadata"]["name"]): obj for obj in plan(cluster).stack}
    assert objects["ExternalSecret", "db-superuser"]["spec"]["data"][0]["remoteRef"]["key"] == (
        "postgres/admin-credentials"
    )
    assert objects["Cluster", "db"]["spec"]["superuserSecret"] == {"name": "db-superuser"}


def test_a_secret_from_elsewhere_is_left_to_whoever_makes_it() -> None:
    cluster = sample(
        users=[{"name": "app"}, {"name": "report", "databases": ["app"], "passwordSecret": "made-elsewhere"}],
        credentials=credentials(),
    )
    planned = plan(cluster)
    assert [obj["metadata"]["name"] for obj in planned.stack if obj["kind"] == "ExternalSecret"] == ["db-app"]


def test_no_store_unless_asked_for() -> None:
    assert made("SecretStore") == made("ClusterSecretStore") == []


@pytest.mark.parametrize(
    ("keys", "auth"),
    [
        ({}, None),
        ({"serviceAccount": "reader"}, {"jwt": {"serviceAccountRef": {"name": "reader"}}}),
        (
            {"accessKeysSecret": "keys"},
            {
                "secretRef": {
                    "accessKeyIDSecretRef": {"name": "keys", "key": "access-key-id"},
                    "secretAccessKeySecretRef": {"name": "keys", "key": "secret-access-key"},
                }
            },
        ),
    ],
)
def test_the_store_asks_as_whom_the_file_says(keys: dict[str, str], auth: object) -> None:
    (store,) = made("SecretStore", createStore=True, storeKind="SecretStore", region="eu-north-1", **keys)
    assert store["metadata"]["namespace"] == "db-ns"
    provider = store["spec"]["provider"]["aws"]
    assert (provider["service"], provider["region"], provider.get("auth")) == ("SecretsManager", "eu-north-1", auth)


def test_a_store_for_all_serves_our_namespace_only_and_says_where_its_keys_are() -> None:
    (store,) = made("ClusterSecretStore", createStore=True, accessKeysSecret="keys")
    assert "namespace" not in store["metadata"]
    assert store["spec"]["conditions"] == [{"namespaces": ["db-ns"]}]
    refs = store["spec"]["provider"]["aws"]["auth"]["secretRef"]
    assert {ref["namespace"] for ref in refs.values()} == {"db-ns"}


def test_argo_cd_applies_them_before_the_cluster_and_the_stack_owns_what_is_outside() -> None:
    cluster = sample(delivery="argocd", credentials=credentials(createStore=True))
    planned = plan(cluster)
    kinds = [obj["kind"] for obj in planned.tree]
    assert kinds.index("ExternalSecret") < kinds.index("Cluster")
    assert "ClusterSecretStore" in {obj["kind"] for obj in planned.stack}
    inside = plan(sample(delivery="argocd", credentials=credentials(createStore=True, storeKind="SecretStore")))
    waves = {
        obj["kind"]: obj["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave") for obj in inside.tree
    }
    assert (waves["SecretStore"], waves["ExternalSecret"], waves["Cluster"]) == ("-2", "-1", None)


def test_what_it_needs_is_said_before_anything_is_applied() -> None:
    needed = {need.kind: need for need in plan(sample(credentials=credentials(createStore=True))).requirements}
    assert needed["ExternalSecret"].api_version == needed["ClusterSecretStore"].api_version == "external-secrets.io/v1"
    assert "ExternalSecret" not in {need.kind for need in plan(sample()).requirements}


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (None, "ExternalSecret db-app: it does not exist"),
        ({}, "ExternalSecret db-app: the External Secrets controller has not seen it yet"),
        (
            {"status": {"conditions": [{"type": "Ready", "status": "False", "message": "no such entry"}]}},
            "ExternalSecret db-app: no such entry",
        ),
    ],
)
@pytest.mark.parametrize("cluster", [sample(credentials=credentials()), trio(name="db", credentials=credentials())])
def test_a_cluster_waits_for_its_secrets(cluster: Any, live: dict[str, Any] | None, reason: str) -> None:
    found = engine_of(cluster).readiness(cluster, lambda *_: live)
    assert (found.ready, found.failed, found.summary) == (False, False, reason)


def test_the_chart_keeps_its_own_passwords_and_users_have_theirs_from_aws() -> None:
    planned = plan(trio(credentials=credentials()))
    assert [secret.name for secret in planned.secrets] == ["trio-postgresql-credentials"]
    (found,) = [obj for obj in planned.stack if obj["kind"] == "ExternalSecret"]
    assert found["spec"]["target"]["name"] == "trio-app"
    assert "labels" not in found["spec"]["target"]["template"].get("metadata", {})
