"""lock: shows and releases the locks that Terraform left behind, and only these."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

# Before cdktf, as in main.py.
from stacks.foundation.stack import FoundationStack
from stacks.settings import Environment

# isort: split
from cdktf import App

from operations import lock
from operations import terraform as module
from operations.account import Account
from operations.errors import RefusedError
from operations.lock import Lock, Locks, format_age
from operations.terraform import TerraformError, executable, terraform
from stacks.own_tiers import own_tiers
from tests.commands.conftest import Scene, refusal
from tests.synthesized import TIERS

ID = "2c9b6f5e-7a5f-a5a5-3c3c-000000000001"


@pytest.fixture
def bucket(scene: Scene) -> Scene:
    """An environment with a versioned state bucket."""
    s3, name = scene.aws.client("s3"), scene.names.state_bucket
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": scene.settings.region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return scene


def as_terraform_writes_it(id: str = ID, created: str = "2026-01-02T03:04:05.123456789Z", **others: Any) -> bytes:
    return json.dumps(
        {
            "ID": id,
            "Operation": "OperationTypeApply",
            "Info": "",
            "Who": "ada@laptop",
            "Version": "1.11.4",
            "Created": created,
            "Path": "bucket/key",
            **others,
        }
    ).encode()


def key(scene: Scene, tier: str) -> str:
    return f"{scene.name}/{tier}.tfstate.tflock"


def put(scene: Scene, tier: str, body: bytes | None = None) -> None:
    s3 = scene.aws.client("s3")
    s3.put_object(Bucket=scene.names.state_bucket, Key=key(scene, tier), Body=body or as_terraform_writes_it())


def held(scene: Scene) -> list[str]:
    entries = scene.aws.client("s3").list_objects_v2(Bucket=scene.names.state_bucket).get("Contents", [])
    return [entry["Key"].removeprefix(f"{scene.name}/").removesuffix(".tfstate.tflock") for entry in entries]


def test_without_locks_the_message_says_so(bucket: Scene):
    bucket.aws.client("s3").put_object(
        Bucket=bucket.names.state_bucket, Key=f"{bucket.name}/network.tfstate", Body=b"{}"
    )
    result = bucket.run("lock")
    assert (result.exit_code, result.output) == (0, f"{bucket.name}: no state is locked\n")


def test_without_a_bucket_the_message_says_to_run_bootstrap(scene: Scene):
    result = scene.run("lock")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"python -m operations bootstrap {scene.name} creates it\n")


def test_each_lock_is_shown_with_stack_who_operation_time_age_and_id(bucket: Scene):
    put(bucket, "network")
    put(bucket, "service", as_terraform_writes_it("another", (datetime.now(UTC) - timedelta(hours=3)).isoformat()))
    result = bucket.run("lock")
    assert result.exit_code == 0
    for expected in (
        f"{bucket.name}-network",
        "ada@laptop",
        "OperationTypeApply (1.11.4)",
        "2026-01-02 03:04:05 UTC",
        ID,
    ):
        assert expected in result.output
    assert f"{bucket.name}-service" in result.output
    assert "3 h 0 min" in result.output


def test_the_content_of_a_lock_is_shown_without_control_characters(bucket: Scene):
    put(bucket, "network", as_terraform_writes_it(Who="[red]ada[/] \x1b[2J"))
    assert "[red]ada[/] ?[2J" in bucket.run("lock").output


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=25, minutes=3), "1 d 1 h"),
    ],
)
def test_an_age_has_two_units_at_most(elapsed: timedelta, expected: str):
    assert format_age(elapsed) == expected


@pytest.mark.parametrize("name", ["network", "{}-network"])
def test_one_stacks_lock_is_released_and_others_stay(bucket: Scene, name: str):
    put(bucket, "network")
    put(bucket, "service")
    result = bucket.run("lock", "--release", name.format(bucket.name), "--yes")
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"{bucket.name}-network: released lock {ID}\n")
    assert held(bucket) == ["service"]
    result = bucket.run("lock", "network")
    assert result.output == f"network: no state is locked; locked: {bucket.name}-service\n"


@pytest.mark.parametrize("name", ["nope", "{}-nope", "prod-network"])
def test_a_stack_that_does_not_exist_is_refused_before_the_account_is_asked(scene: Scene, name: str):
    scene.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    scene.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = scene.run("lock", name.format(scene.name))
    assert result.exit_code == 2
    message = " ".join(result.stderr.replace("│", " ").split())
    assert f"{name.format(scene.name)}: no such stack; existing tiers: access, audit, cache," in message


def test_the_stacks_of_all_tiers_can_be_named():
    assert set(lock.existing_tiers()) == {*TIERS, *(tier.tier for tier in own_tiers())}


def test_each_release_is_confirmed(bucket: Scene):
    put(bucket, "network")
    put(bucket, "service")
    result = bucket.run("lock", "--release", answer="n\ny\n")
    assert (result.exit_code, result.stderr) == (1, f"{bucket.name}-network: not released\n")
    assert f"Release lock {ID} of {bucket.name}-service?" in result.output
    assert held(bucket) == ["network"]


@pytest.fixture
def locked(bucket: Scene) -> tuple[Scene, Locks, Lock]:
    """A locked stack, and its lock as it was read."""
    put(bucket, "network")
    locks = Locks(Account.of(bucket.settings))
    (lock,) = locks.held()
    return bucket, locks, lock


def delete(scene: Scene) -> None:
    scene.aws.client("s3").delete_object(Bucket=scene.names.state_bucket, Key=key(scene, "network"))


def test_a_lock_that_no_longer_exists_is_not_released(locked: tuple[Scene, Locks, Lock]):
    scene, locks, lock = locked
    delete(scene)
    with pytest.raises(RefusedError, match=f"lock {ID} was shown, but now the state is not locked"):
        locks.release(lock)


def test_a_lock_taken_in_the_meantime_is_not_released(locked: tuple[Scene, Locks, Lock]):
    scene, locks, lock = locked
    delete(scene)
    put(scene, "network", as_terraform_writes_it("the-next"))
    with pytest.raises(RefusedError, match=f"lock {ID} was shown, but now lock the-next exists"):
        locks.release(lock)
    assert held(scene) == ["network"]


def test_a_lock_taken_at_the_last_moment_is_not_released(locked: tuple[Scene, Locks, Lock]):
    scene, locks, lock = locked

    def overtake(arguments: dict[str, Any]) -> None:
        if "VersionId" in arguments:
            delete(scene)
            put(scene, "network", as_terraform_writes_it("the-next"))

    scene.intercept("DeleteObject", overtake)
    locks.release(lock)
    (now,) = locks.held()
    assert now.id == "the-next"


def test_a_lock_that_disappears_while_it_is_read_is_not_listed(locked: tuple[Scene, Locks, Lock]):
    scene, locks, _ = locked
    scene.intercept("GetObject", refusal("GetObject", "NoSuchKey"))
    assert not list(locks.held())


@pytest.mark.parametrize("body", [b"no json", b"[]", b"{}", as_terraform_writes_it(created="yesterday"), b"\xff"])
def test_an_unreadable_lock_is_reported_with_a_manual_remedy(bucket: Scene, body: bytes):
    put(bucket, "network", body)
    result = bucket.run("lock", "--release", "--yes")
    assert result.exit_code == 1
    assert "unreadable: " in result.output
    assert (
        f"aws s3api delete-object --bucket {bucket.names.state_bucket} --key {key(bucket, 'network')}" in result.stderr
    )
    assert held(bucket) == ["network"]


def test_a_lock_is_shown_even_if_reading_it_is_denied(bucket: Scene):
    put(bucket, "network")
    denied = "User: arn:x is not authorized to perform: kms:Decrypt on resource: arn:y"
    bucket.intercept("GetObject", refusal("GetObject", "AccessDenied", denied))
    result = bucket.run("lock")
    assert result.exit_code == 0
    assert "unreadable: denied: kms:Decrypt" in result.output
    assert "VERSION: aws s3api list-object-versions" in bucket.run("lock", "--release", "--yes").stderr


def test_another_error_of_s3_is_reported(bucket: Scene):
    bucket.intercept("ListObjectsV2", refusal("ListObjectsV2", "AccessDenied", "Access Denied"))
    result = bucket.run("lock")
    assert (result.exit_code, result.stderr[:22]) == (1, "denied: s3:ListBucket;")


def test_without_versioning_nothing_is_released(bucket: Scene):
    bucket.aws.client("s3").put_bucket_versioning(
        Bucket=bucket.names.state_bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    put(bucket, "network")
    result = bucket.run("lock", "--release", "--yes")
    assert result.exit_code == 1
    assert "the bucket is not versioned" in result.stderr
    assert held(bucket) == ["network"]


def backend(settings: Environment, folder: Path) -> dict[str, Any]:
    """The synthesized backend block of a stack."""
    app = App(outdir=str(folder))
    FoundationStack(app, settings)
    app.synth()
    stack = json.loads((folder / "stacks" / f"{settings.name}-foundation" / "cdk.tf.json").read_text(encoding="utf-8"))
    return stack["terraform"]["backend"]


@contextmanager
def held_by_terraform(scene: Scene, folder: Path) -> Generator[None]:
    """Runs an apply that takes the lock and is killed before it releases it."""
    apply = subprocess.Popen(
        [executable(), "apply", "-auto-approve", "-input=false", "-no-color"],
        cwd=folder,
        env=module.environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # so that its child processes are killed too
    )
    try:
        deadline = time.monotonic() + 60
        while not held(scene):
            assert apply.poll() is None, "terraform ended before it took the lock"
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield
    finally:
        os.killpg(apply.pid, signal.SIGKILL)
        apply.wait()


def test_terraform_uses_the_bucket_and_a_lock_that_it_left_behind_is_released(
    scene: Scene, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("stack")
    assert scene.run("bootstrap", "--yes").exit_code == 0
    work = {"triggers_replace": "${timestamp()}", "provisioner": [{"local-exec": {"command": "sleep 60"}}]}
    document = {"terraform": {"backend": backend(scene.settings, tmp_path_factory.mktemp("out"))}}
    (folder / "main.tf.json").write_text(json.dumps(document | {"resource": {"terraform_data": {"work": work}}}))
    terraform("init", "-input=false", "-no-color", cwd=folder)

    with held_by_terraform(scene, folder), pytest.raises(TerraformError, match="Error acquiring the state lock"):
        terraform("plan", "-input=false", "-no-color", cwd=folder)
    shown = scene.run("lock")
    assert f"{scene.name}-foundation" in shown.output
    assert "OperationTypeApply" in shown.output
    with pytest.raises(TerraformError, match="Error acquiring the state lock"):
        terraform("plan", "-input=false", "-no-color", cwd=folder)

    released = scene.run("lock", "--release", "foundation", "--yes")
    assert released.exit_code == 0, released.output
    del work["provisioner"]
    (folder / "main.tf.json").write_text(json.dumps(document | {"resource": {"terraform_data": {"work": work}}}))
    terraform("apply", "-auto-approve", "-input=false", "-no-color", cwd=folder)
    assert scene.run("lock").output == f"{scene.name}: no state is locked\n"
    state = scene.aws.client("s3").head_object(Bucket=scene.names.state_bucket, Key=f"{scene.name}/foundation.tfstate")
    assert state["ServerSideEncryption"] == "aws:kms"
    key = scene.aws.client("kms").describe_key(KeyId=scene.names.state_key_alias_arn)["KeyMetadata"]
    assert state["SSEKMSKeyId"] == key["Arn"]


@pytest.mark.parametrize(
    "encryption",
    [
        {"ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:kms"},  # the AWS managed key
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/another"},
        {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32},
    ],
)
def test_nothing_is_written_under_another_key(scene: Scene, encryption: dict[str, str]):
    assert scene.run("bootstrap", "--yes").exit_code == 0
    s3, state = scene.aws.client("s3"), {"Bucket": scene.names.state_bucket, "Key": f"{scene.name}/x.tfstate"}
    s3.put_object(**state, Body=b"{}")
    s3.put_object(**state, Body=b"{}", ServerSideEncryption="aws:kms", SSEKMSKeyId=scene.names.state_key_alias_arn)
    with pytest.raises(ClientError, match=r"403|Forbidden|AccessDenied"):
        s3.put_object(**state, Body=b"{}", **encryption)
