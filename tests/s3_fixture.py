"""An S3-compatible server on loopback (moto), with people who may do everything, only read, or nothing."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

BUCKET = "desk"
ROOT = f"s3://{BUCKET}/store"
READ = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
ALL = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@dataclass(frozen=True)
class Server:
    url: str
    people: dict[str, tuple[str, str]]
    """Access key and secret of `owner` (everything), `reader` and `stranger` (nothing)."""

    def client(self) -> Any:
        import boto3

        key, secret = self.people["owner"]
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1"
        )

    def environment(self, person: str) -> dict[str, str]:
        """What somebody has in their environment, and nowhere else."""
        key, secret = self.people[person]
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, **BARE}

    def put(self, name: str, data: bytes) -> None:
        """Write over the object `name` (its md5), as nobody but a thief or a fault does."""
        self.client().put_object(Bucket=BUCKET, Key=f"store/files/md5/{name[:2]}/{name[2:]}", Body=data)

    def read(self, name: str) -> bytes:
        found = self.client().get_object(Bucket=BUCKET, Key=f"store/files/md5/{name[:2]}/{name[2:]}")
        return bytes(found["Body"].read())

    def names(self) -> list[str]:
        listed = self.client().list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [one["Key"] for one in listed]


BARE = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
}
"""No other credentials than those that a test gives: none of this machine's own."""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Serve until the block ends; from the first question on the server asks who it is."""
    import boto3
    from moto import settings
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    before = settings.INITIAL_NO_AUTH_ACTION_COUNT
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        admin = {
            "endpoint_url": url,
            "region_name": "us-east-1",
            "aws_access_key_id": "a",
            "aws_secret_access_key": "a",
        }
        iam = boto3.client("iam", **admin)
        people = {
            name: _person(iam, name, rule) for name, rule in (("owner", ALL), ("reader", READ), ("stranger", None))
        }
        boto3.client("s3", **admin).create_bucket(Bucket=BUCKET)
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        yield Server(url, people)
    finally:
        settings.INITIAL_NO_AUTH_ACTION_COUNT = before
        server.stop()


def _person(iam: Any, name: str, rule: dict[str, Any] | None) -> tuple[str, str]:
    iam.create_user(UserName=name)
    if rule:
        document = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def be(monkeypatch: pytest.MonkeyPatch, server: Server, person: str) -> None:
    """Have that person's credentials in the environment; a name that nobody has, none at all."""
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    for name, value in (server.environment(person) if person in server.people else BARE).items():
        monkeypatch.setenv(name, value)
