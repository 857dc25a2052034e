"""A small client for Kubernetes objects as plain dicts: what an engine builds is what is sent.

lightkube reads the kubeconfig and does the authentication (certificates, tokens, exec plugins, a pod's
service account); its typed resources would drop fields that they do not know, so objects travel as JSON here.
"""

import asyncio
import ipaddress
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from httpx2.websockets import HTTPXWSException, WebSocketUpgradeError
from lightkube.config.client_adapter import AsyncClient, Client, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.decoders import decode_status
from lightkube.core.exceptions import ApiError as LightkubeError
from lightkube.core.exceptions import ConfigError as KubeConfigError
from lightkube.core.generic_client import BasicRequest
from lightkube.core.websocket import AsyncWebsocketDriver
from lightkube.types import ExecResponse
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pgha.config.problems import UserError
from pgha.resources.metadata import Object, describe

FIELD_MANAGER = "pgha"
"""Under this name the API server records our fields; the stack's `field_manager` is the same."""

_TIMEOUT_SECONDS = 15.0
_WEBHOOK_SECONDS = 60.0
_RETRY_SECONDS = 2.0

# Instances are asked side by side, and each answer of an exec ends with a Status. msgspec (0.22.0) looks into a type
# when it first meets it, and a second thread that meets it meanwhile reads what is half written: a segmentation fault.
decode_status(b"{}")


class ApiError(UserError):
    """The API server said no. `status` is its HTTP status; 0 where there was no answer at all."""

    def __init__(self, what: str, remedy: str, status: int = 0) -> None:
        super().__init__(what, remedy)
        self.status = status

    @property
    def passes(self) -> bool:
        """Whether it may be over in a moment: a webhook whose pod is just starting, a server that is busy."""
        return self.status in {429, 503, 504} or (self.status == 500 and "failed calling webhook" in self.what)

    @property
    def is_final(self) -> bool:
        """Whether asking again is of no use: the wrong server answers, or our credentials are wrong."""
        return self.status in {401, 403} or "certificate verify failed" in self.what


class Api:
    """One Kubernetes API server.

    Every method raises ApiError with a sentence; a missing object is None, not an error.
    """

    def __init__(self, http: httpx2.Client, open_exec: Callable[[], httpx2.AsyncClient], server: str) -> None:
        self.server = server
        self._http = http
        self._open_exec = open_exec
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    @classmethod
    def connect(cls, kubeconfig: Path | None) -> "Api":
        """Use this kubeconfig's current context, or the service account of the pod we run in.

        Raises:
            UserError: The kubeconfig cannot be used. The server is not asked anything yet.
        """
        config = _configuration(kubeconfig)
        params = ConnectionParams(timeout=httpx2.Timeout(_TIMEOUT_SECONDS), trust_env=_proxied(config))
        try:
            return cls(Client(config, params), lambda: AsyncClient(config, params), config.cluster.server)
        except (KubeConfigError, OSError, AssertionError) as error:
            raise UserError(
                f"the kubeconfig {kubeconfig} cannot be used: {error}", "mend it, or name another"
            ) from error

    @cached_property
    def version(self) -> str:
        """The server's version, such as `v1.36.3`: the first question, which finds out whether it answers."""
        return str(self._ask("GET", "/version")["gitVersion"])

    def knows(self, api_version: str, kind: str) -> bool:
        """Whether the server has such objects."""
        return kind in self._kinds_of(api_version)

    def read(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """The live object, or None. A kind that the server does not have counts as none too."""
        if not self.knows(api_version, kind):
            return None
        return self._maybe("GET", self._path(api_version, kind, namespace, name))

    def find(self, obj: Object) -> Object | None:
        """The live counterpart of an object."""
        meta = obj["metadata"]
        return self.read(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"])

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> "list[Object]":
        """Objects of a kind, in a namespace or in all of them."""
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in (labels or {}).items())}
        items: list[Object] = self._ask("GET", self._path(api_version, kind, namespace), query)["items"]
        return items

    def apply(self, obj: Object, *, dry_run: bool = False, manager: str = FIELD_MANAGER) -> Object:
        """Server-side apply. The cluster file is the truth: a field that somebody else set is taken back.

        An operator that was installed a moment ago may not answer for its objects yet: that is waited for.
        """
        meta = obj["metadata"]
        path = self._path(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"])
        query = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        deadline = time.monotonic() + _WEBHOOK_SECONDS
        while True:
            try:
                return self._ask("PATCH", path, query, obj, "application/apply-patch+yaml", about=describe(obj))
            except ApiError as error:
                if not error.passes or time.monotonic() >= deadline:
                    raise
            time.sleep(_RETRY_SECONDS)

    def merge(self, obj: Object, change: Object) -> Object:
        """Change a few fields of a live object; null removes one."""
        meta = obj["metadata"]
        path = self._path(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"])
        query = {"fieldManager": FIELD_MANAGER}
        return self._ask("PATCH", path, query, change, "application/merge-patch+json", about=describe(obj))

    def merge_status(self, obj: Object, change: Object) -> Object:
        """The same for its status, as its controller would."""
        meta = obj["metadata"]
        path = self._path(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"])
        query = {"fieldManager": FIELD_MANAGER}
        body = {"status": change}
        return self._ask("PATCH", f"{path}/status", query, body, "application/merge-patch+json", about=describe(obj))

    def create(self, obj: Object) -> Object:
        """Make a new object."""
        path = self._path(obj["apiVersion"], obj["kind"], obj["metadata"].get("namespace"))
        return self._ask("POST", path, {"fieldManager": FIELD_MANAGER}, obj, about=describe(obj))

    def delete(self, obj: Object) -> bool:
        """Ask for an object's removal; its dependents go in the background.

        False where it is gone already.
        """
        meta = obj["metadata"]
        if not self.knows(obj["apiVersion"], obj["kind"]):
            return False
        path = self._path(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"])
        return self._maybe("DELETE", path, {"propagationPolicy": "Background"}) is not None

    def log(self, namespace: str, pod: str, container: str = "") -> str:
        """What a container of a pod has written; by default its only one."""
        query = {"container": container} if container else {}
        return self._send("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query, None, "", "").text

    def execute(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        timeout: float = 20,
        stdin: str | None = None,
    ) -> str:
        """What a command in a container writes to its standard output. Needs the right to create `pods/exec`.

        What must not be seen goes by standard input: the command line is in logs and lists of processes.

        Raises:
            ApiError: It may not run there, took too long, or ended with another code than 0.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        query: Any = {"container": container, "command": list(command), "stdout": "true", "stderr": "true"}
        if stdin is not None:
            query["stdin"] = "true"
        try:
            done = asyncio.run(self._executed(BasicRequest("GET", path, params=query), stdin, timeout))
        except WebSocketUpgradeError as error:
            status = error.response.status_code
            raise ApiError(
                f"nothing may be run in pod {namespace}/{pod} (status {status})", "ask for pods/exec", status
            ) from error
        except (LightkubeError, httpx2.HTTPError, HTTPXWSException) as error:
            raise ApiError(f"{command[0]} did not run in pod {namespace}/{pod}: {error}", "run it again") from error
        if done.exit_code != 0:
            said = " ".join([*str(done.stderr).split(), *str(done.stdout).split()])
            raise ApiError(f"{command[0]} in pod {namespace}/{pod} failed: {said}", "read what it says")
        return str(done.stdout)

    async def _executed(self, request: BasicRequest, stdin: str | None, timeout: float) -> ExecResponse:
        """Without threads: httpx2's synchronous WebSocket (2.16.2) leaves one reading a socket that is closed already.

        The number of that socket is soon another connection's, whose bytes the thread then takes.
        """
        async with self._open_exec() as http:  # a connection that was a WebSocket is of no use to anything else
            driver = AsyncWebsocketDriver(http, request, timeout)
            return await driver.write_and_read(stdin=stdin, stdout=True, stderr=True, decode="utf-8")

    def _path(self, api_version: str, kind: str, namespace: str | None, name: str | None = None) -> str:
        found = self._kinds_of(api_version).get(kind)
        if found is None:
            raise ApiError(f"{self.server} knows no {kind} of {api_version}", "install what brings it", 404)
        plural, namespaced = found
        inside = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{_base(api_version)}{inside}/{plural}" + (f"/{name}" if name else "")

    def _kinds_of(self, api_version: str) -> dict[str, tuple[str, bool]]:
        """Kind → (plural, namespaced).

        Only what exists is remembered: an operator may be installed while we run.
        """
        if api_version not in self._kinds:
            answer = self._maybe("GET", _base(api_version))
            if answer is None:
                return {}
            self._kinds[api_version] = {
                entry["kind"]: (entry["name"], entry["namespaced"])
                for entry in answer["resources"]
                if "/" not in entry["name"]
            }
        return self._kinds[api_version]

    def _maybe(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Object | None:
        try:
            return self._ask(method, path, query)
        except ApiError as error:
            if error.status == httpx2.codes.NOT_FOUND:
                return None
            raise

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        about: str = "",
    ) -> Object:
        response = self._send(method, path, query or {}, body, content_type, about)
        try:
            answer: Object = response.json()
        except ValueError:
            raise ApiError(
                f"{self.server} does not speak like a Kubernetes API server",
                "check the server in the kubeconfig",
            ) from None
        return answer

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None,
        content_type: str,
        about: str,
    ) -> httpx2.Response:
        headers = {"Content-Type": content_type} if body is not None else None
        request = self._http.build_request(method, path, params=dict(query), json=body, headers=headers)
        try:
            response = self._answered(request)
        except httpx2.TransportError as error:
            if "certificate verify failed" in str(error):
                raise ApiError(
                    f"{self.server} is not the server that the kubeconfig trusts: {_reason(error)}",
                    "fetch the kubeconfig again; in the lab: unset KUBECONFIG",
                ) from error
            raise ApiError(
                f"the API server {self.server} does not answer: {_reason(error)}",
                "start it, or point KUBECONFIG at one that runs",
            ) from error
        except KubeConfigError as error:
            raise ApiError(f"no credentials for {self.server}: {error}", "mend the user in the kubeconfig") from error
        if response.is_success:
            return response
        raise self._refusal(response, about or path)

    def _answered(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return self._http.send(request)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            # The server may have closed a connection that was kept open, just now; reading again changes nothing.
            if request.method != "GET":
                raise
            return self._http.send(request)

    def _refusal(self, response: httpx2.Response, about: str) -> ApiError:
        status, message = response.status_code, _message(response)
        match status:
            case 401:
                return ApiError(
                    f"{self.server} does not accept our credentials",
                    "log in again, or name another kubeconfig",
                    401,
                )
            case 403:
                return ApiError(
                    f"{self.server} forbids it: {message}", "ask for the right, or use another account", 403
                )
            case 400 | 422:
                return ApiError(f"the API server refuses {about}: {message}", "mend the cluster file", status)
            case _:
                return ApiError(
                    f"the API server fails on {about} ({status}): {message}",
                    "look at its log, then run it again",
                    status,
                )


def _configuration(kubeconfig: Path | None) -> SingleConfig:
    try:
        config = (_loaded(kubeconfig) if kubeconfig else KubeConfig.from_service_account()).get()
    except (KubeConfigError, YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        where = f"the kubeconfig {kubeconfig}" if kubeconfig else "the pod's service account"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{where} cannot be read: {reason}", "name one with KUBECONFIG or --kubeconfig") from error
    if config is None or config.user is None:
        raise UserError(
            f"the kubeconfig {kubeconfig} has no current context with a user",
            "choose one: kubectl config use-context",
        )
    return config


def _loaded(path: Path) -> KubeConfig:
    content = YAML(typ="safe").load(path.expanduser().read_text())
    if not isinstance(content, dict):
        raise TypeError("it is no mapping")
    return KubeConfig.from_dict(content, fname=path)


def _proxied(config: SingleConfig) -> bool:
    """Whether a proxy from the environment may be used: never for this machine itself (as kubectl does)."""
    host = urlsplit(config.cluster.server).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _base(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _message(response: httpx2.Response) -> str:
    try:
        body: Any = response.json()
    except ValueError:
        return response.reason_phrase or f"status {response.status_code}"
    return str(body.get("message") or response.reason_phrase) if isinstance(body, dict) else response.reason_phrase


def _reason(error: httpx2.TransportError) -> str:
    match error:
        case httpx2.TimeoutException():
            return f"no answer in {_TIMEOUT_SECONDS:.0f} s"
        case _:
            return str(error) or type(error).__name__


def in_cluster() -> bool:
    """Whether this process runs in a pod that has a service account."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and Path("/var/run/secrets/kubernetes.io/serviceaccount").is_dir()
