"""A real server of object storage on loopback: SeaweedFS, one process, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cut_link import free_port

BUCKET = "cargo"
KEYS = {"AWS_ACCESS_KEY_ID": "packkey", "AWS_SECRET_ACCESS_KEY": "packsecret", "AWS_DEFAULT_REGION": "us-east-1"}
_WEED = Path(__file__).parents[1] / "build/object-server/bin/weed"
_WAIT_SECONDS = 60


def why_no_server() -> str | None:
    """Return why there can be none here."""
    if _weed() is None:
        return "there is no weed (SeaweedFS): make object-server"
    return None


@dataclass
class ObjectServer:
    """The server, and what speaks with it beside packtrain.

    Attributes:
        certificate, key: PEM files; with them it speaks TLS on `tls_port` too.
    """

    folder: Path
    port: int
    certificate: Path | None = None
    key: Path | None = None
    tls_port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        from botocore.exceptions import BotoCoreError, ClientError

        weed = _weed()
        assert weed is not None
        access = self.folder / "s3.json"
        credentials = [{"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}]
        may = ["Admin", "Read", "Write", "List", "Tagging"]
        reader = {
            "name": "reader",
            "credentials": [{"accessKey": "readkey", "secretKey": "r"}],
            "actions": ["Read", "List"],
        }
        access.write_text(
            json.dumps({"identities": [{"name": "pack", "credentials": credentials, "actions": may}, reader]})
        )
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        ports = {name: free_port_with_grpc() for name in ("master.port", "volume.port", "filer.port")}
        arguments = [f"-{name}={port}" for name, port in ports.items()]
        if self.certificate is not None:
            arguments += [f"-s3.port.https={self.tls_port}", f"-s3.cert.file={self.certificate}"]
            arguments += [f"-s3.key.file={self.key}"]
        self.process = subprocess.Popen(
            [str(weed), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *arguments, "-s3",
             f"-s3.port={self.port}", f"-s3.port.grpc={free_port()}", f"-s3.config={access}", "-s3.iam=false",
             "-s3.port.iceberg=0", "-s3.port.lance=0",
             "-master.volumeSizeLimitMB=256", "-volume.max=0", "-master.telemetry=false", "-volume.preStopSeconds=0"],
            cwd=self.folder,
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        client, until = self.client(), time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                if not any(one["Name"] == BUCKET for one in client.list_buckets()["Buckets"]):
                    client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="is-up", Body=b"1")
            except (BotoCoreError, ClientError):
                is_late = self.process.poll() is not None or time.monotonic() > until
                assert not is_late, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        """Kill it; what it confirmed is on disk."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def client(self, port: int | None = None) -> Any:
        """Return the library's own client, with no patience."""
        import botocore.session
        from botocore.config import Config

        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port or self.port}",
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Return all objects below a prefix, by what follows it."""
        client = self.client()
        found: dict[str, bytes] = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
            for one in page.get("Contents", ()):
                body = client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
                found[one["Key"][len(prefix) + 1 :]] = body
        return found

    def uploads(self) -> list[str]:
        """Return the keys of uploads in parts that are neither completed nor aborted."""
        return [one["Key"] for one in self.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())]


@contextmanager
def object_server(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[ObjectServer]:
    """Yield a server that is up; with a certificate and its key it speaks TLS on a second port."""
    server = ObjectServer(folder, free_port())
    if certificate is not None:
        server.certificate, server.key = certificate
        server.tls_port = free_port()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_port_with_grpc() -> int:
    """Return a free port whose number plus 10,000, where the server puts its second one, is one too."""
    while True:
        port = free_port()
        if port < 55_000:
            return port


def _weed() -> Path | None:
    if _WEED.is_file():
        return _WEED
    found = shutil.which("weed")
    return Path(found) if found else None
