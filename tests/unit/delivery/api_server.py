"""A small Kubernetes API server over a real socket: discovery, get, apply, delete. Enough to be refused by."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KINDS = {
    "/api/v1": {"Namespace": ("namespaces", False), "Secret": ("secrets", True), "Pod": ("pods", True),
                "Event": ("events", True), "PersistentVolume": ("persistentvolumes", False),
                "Service": ("services", True)},
    "/apis/networking.k8s.io/v1": {"NetworkPolicy": ("networkpolicies", True)},
    "/apis/metallb.io/v1beta1": {"IPAddressPool": ("ipaddresspools", True),
                                 "L2Advertisement": ("l2advertisements", True)},
    "/apis/postgresql.cnpg.io/v1": {"Cluster": ("clusters", True), "Database": ("databases", True),
                                    "DatabaseRole": ("databaseroles", True), "Pooler": ("poolers", True)},
    "/apis/apps/v1": {"Deployment": ("deployments", True)},
    "/apis/batch/v1": {"Job": ("jobs", True)},
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """`objects` by path; `writes` in order, dry runs apart; `answers` overrides a path's answer: (status, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.dry_runs: list[str] = []
        self.answers: dict[str, list[tuple[int, str]]] = {}
        self.groups = dict(KINDS)
        self.version = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "kubeconfig"
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        path.write_text(json.dumps(config))
        return path


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: object) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _overridden(self, path: str) -> bool:
        waiting = self.server.answers.get(path) or self.server.answers.get("*")
        if not waiting:
            return False
        status, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if status == 0:
            waiting.pop(0)
            return False
        self._answer(status, body)
        return True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self._overridden(path):
            return
        if path == "/version":
            self._answer(200, {"gitVersion": "v1.36.3"})
        elif path in self.server.groups:
            resources = [{"kind": kind, "name": name, "namespaced": inside}
                         for kind, (name, inside) in self.server.groups[path].items()]  # fmt: skip
            self._answer(200, {"resources": resources})
        elif path in self.server.objects:
            self._answer(200, self.server.objects[path])
        elif path.rpartition("/")[2] in {"pods", "events", "jobs", "persistentvolumes"}:
            self._answer(
                200, {"items": [obj for key, obj in self.server.objects.items() if key.startswith(f"{path}/")]}
            )
        else:
            self._answer(404, {"message": "not found"})

    def do_PATCH(self) -> None:
        parts = urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._overridden(parts.path):
            return
        live = self.server.objects.get(parts.path)
        if "dryRun" in parse_qs(parts.query):
            self.server.dry_runs.append(parts.path)
            self._answer(200, body)
            return
        self.server.writes.append(parts.path)
        if live is None or {**live, "metadata": {**live["metadata"], "resourceVersion": None}} != {
            **body, "metadata": {**body["metadata"], "resourceVersion": None}}:  # fmt: skip
            self.server.version += 1
            body["metadata"]["resourceVersion"] = str(self.server.version)
            live = self.server.objects[parts.path] = {**body, "status": {}} if body["kind"] == "Namespace" else body
        self._answer(200, live)

    def do_DELETE(self) -> None:
        path = urlsplit(self.path).path
        found = self.server.objects.pop(path, None)
        self.server.writes.append(f"DELETE {path}")
        self._answer(200 if found else 404, {"message": "gone"})


@contextmanager
def running() -> Iterator[Server]:
    """A server that runs until the block ends."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
