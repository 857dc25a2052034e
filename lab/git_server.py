"""A Git server in the lab: what Argo CD reads, and where a person pushes to from this machine.

It starts empty; a repository begins with the first push to it.
"""

import base64
import json
import os
import secrets

from lab.home import SOURCE, STATE
from lab.kubernetes import kubectl
from lab.topology import CONTROL_PLANE, GIT_PORT, on_loopback

USER = "lab"

INSIDE = "http://git.git.svc.cluster.local"
"""Where pods find it; `/NAME.git` follows. Anybody may read but below `/private/`."""

OUTSIDE = f"http://{USER}@{on_loopback(CONTROL_PLANE.address)}:{GIT_PORT}"
"""Where this machine finds it. To push takes the password: what is pushed runs in the lab, and the lab is root's."""

CREDENTIALS = STATE / "git-credentials"
"""The password of `OUTSIDE`, in the form of `git credential-store --file`."""


def install() -> None:
    """Start it and write the credentials down. A second time changes nothing."""
    _apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "git"}})
    password = read_secret("git", "git-users", "password") or secrets.token_urlsafe(24)
    users = {"password": password, "users": f"{USER}:{password}\n"}
    write_secret("git", "git-users", users)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=(SOURCE / "git-server.yaml").read_text())
    kubectl("rollout", "status", "--namespace=git", "statefulset/git", "--timeout=180s")
    with os.fdopen(os.open(CREDENTIALS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(OUTSIDE.replace(f"{USER}@", f"{USER}:{password}@") + "\n")


def read_secret(namespace: str, name: str, key: str) -> str:
    """One value of a Secret; empty where there is none."""
    template = f'go-template={{{{with .data}}}}{{{{index . "{key}" | base64decode}}}}{{{{end}}}}'
    return kubectl("get", "secret", name, f"--namespace={namespace}", "--ignore-not-found", f"--output={template}")


def write_secret(namespace: str, name: str, values: dict[str, str]) -> None:
    """A Secret with these values, by standard input: a command line can be read by others."""
    meta = {"name": name, "namespace": namespace}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    _apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})


def _apply(obj: dict[str, object]) -> None:
    # As a field manager of our own: a manifest that holds the same Secret without values must not take ours away.
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=lab", "-f", "-")
    kubectl(*words, stdin=json.dumps(obj))
