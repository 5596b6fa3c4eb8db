"""rotate: cancels a rotation that is not complete, and starts another, unless the function would refuse it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_aws.postgresql import wait_until
from local_aws.services import secretsmanager
from tests.commands.conftest import ACCOUNT, REGION, Scene
from tests.local_aws.test_awslambda import create_function
from tests.local_aws.test_secretsmanager import CODE


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secretsmanager, "RETRY_DELAYS", (0.01,))


@pytest.fixture
def secrets(scene: Scene) -> Any:
    return scene.aws.client("secretsmanager")


def name(scene: Scene) -> str:
    return scene.names.resource_name("database-credential")


def deploy(scene: Scene, secrets: Any, *, fails: bool = False) -> None:
    """Create the secret, which rotates for the first time with a function that may fail."""
    environment = {"Variables": {"FAILS": "setSecret" if fails else ""}}
    function = create_function(scene.aws, CODE, Timeout=30, Environment=environment)
    scene.aws.client("lambda").add_permission(
        FunctionName=function, StatementId="all", Action="lambda:InvokeFunction", Principal=secretsmanager.PRINCIPAL
    )
    secrets.create_secret(Name=name(scene))
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    secrets.rotate_secret(SecretId=name(scene), RotationLambdaARN=arn, RotationRules={"AutomaticallyAfterDays": 30})
    wait(scene)


def wait(scene: Scene) -> None:
    """Wait for the secret's rotations."""
    arn = scene.aws.client("secretsmanager").describe_secret(SecretId=name(scene))["ARN"]
    wait_until(lambda: not scene.aws.backend("secretsmanager").is_rotating(arn))


def stages(scene: Scene, secrets: Any) -> dict[str, str]:
    """Version by staging label."""
    versions = secrets.describe_secret(SecretId=name(scene)).get("VersionIdsToStages", {})
    return {stage: version for version, labels in versions.items() for stage in labels}


def repair(scene: Scene, secrets: Any) -> None:
    """Let the function succeed."""
    function = secrets.describe_secret(SecretId=name(scene))["RotationLambdaARN"]
    scene.aws.client("lambda").update_function_configuration(FunctionName=function, Environment={"Variables": {}})


def age(scene: Scene, secrets: Any, hours: float) -> None:
    """Let the secret's versions be older."""
    arn = secrets.describe_secret(SecretId=name(scene))["ARN"]
    secret = scene.aws.backend("secretsmanager").secrets[arn]
    earlier = int(hours * 3600)
    secret.last_rotation_date = secret.last_rotation_date and secret.last_rotation_date - earlier
    for version in secret.versions.values():
        version["createdate"] -= earlier


def test_a_failed_rotation_is_cancelled_and_another_succeeds(scene: Scene, secrets: Any):
    deploy(scene, secrets, fails=True)
    failed = stages(scene, secrets)["AWSPENDING"]
    age(scene, secrets, hours=1)
    repair(scene, secrets)
    result = scene.run("rotate", answer="y\n")
    assert result.exit_code == 0, result.output
    assert f"{name(scene)}: not yet created; version {failed} has been pending for 1 h 0 min\n" in result.output
    assert f"Cancel the rotation to version {failed}, and start a rotation?" in result.output
    wait(scene)
    current = stages(scene, secrets)["AWSCURRENT"]
    assert current != failed
    assert result.output.endswith(f"{name(scene)}: started a rotation to version {current}\n")
    assert "AWSPENDING" not in stages(scene, secrets)


def test_without_a_pending_version_a_rotation_starts(scene: Scene, secrets: Any):
    deploy(scene, secrets)
    former = stages(scene, secrets)["AWSCURRENT"]
    age(scene, secrets, hours=26)
    result = scene.run("rotate", "--yes")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{name(scene)}: current for 1 d 2 h\n")
    wait(scene)
    assert stages(scene, secrets)["AWSPREVIOUS"] == former


@pytest.mark.parametrize(("arguments", "code"), [(["--dry-run"], 0), ([], 1)])
def test_nothing_changes_without_consent(scene: Scene, secrets: Any, arguments: list[str], code: int):
    deploy(scene, secrets, fails=True)
    age(scene, secrets, hours=1)
    before = stages(scene, secrets)
    result = scene.run("rotate", *arguments, answer="n\n")
    assert result.exit_code == code
    assert stages(scene, secrets) == before


def test_a_rotation_in_progress_is_not_cancelled(scene: Scene, secrets: Any):
    deploy(scene, secrets, fails=True)
    before = stages(scene, secrets)
    result = scene.run("rotate", "--yes")
    assert result.exit_code == 1
    assert f"the rotation to version {before['AWSPENDING']} may be in progress: wait until 20" in result.stderr
    assert stages(scene, secrets) == before


def test_a_version_that_was_rolled_back_is_cancelled(scene: Scene, secrets: Any):
    deploy(scene, secrets)
    first = stages(scene, secrets)["AWSCURRENT"]
    age(scene, secrets, hours=26)
    assert scene.run("rotate", "--yes").exit_code == 0
    wait(scene)
    second = stages(scene, secrets)["AWSCURRENT"]
    age(scene, secrets, hours=26)
    # An interrupted finishSecret has left the label AWSPENDING, and somebody went back to the version before.
    secrets.update_secret_version_stage(SecretId=name(scene), VersionStage="AWSPENDING", MoveToVersionId=second)
    secrets.update_secret_version_stage(
        SecretId=name(scene), VersionStage="AWSCURRENT", MoveToVersionId=first, RemoveFromVersionId=second
    )
    result = scene.run("rotate", "--yes")
    assert result.exit_code == 0, result.output
    assert f"version {second} has been pending for 1 d 2 h" in result.output


def test_the_age_counts_from_the_rotation_not_from_the_creation_of_its_version(scene: Scene, secrets: Any):
    deploy(scene, secrets)
    arn = secrets.describe_secret(SecretId=name(scene))["ARN"]
    for version in scene.aws.backend("secretsmanager").secrets[arn].versions.values():
        version["createdate"] -= 26 * 3600
    result = scene.run("rotate", "--yes")
    assert result.exit_code == 1
    assert "tasks may still use the previous credential" in result.stderr


def test_a_young_credential_is_refused_without_another_pending_version(scene: Scene, secrets: Any):
    deploy(scene, secrets)
    before = stages(scene, secrets)
    result = scene.run("rotate", "--yes")
    assert result.exit_code == 1
    assert "tasks may still use the previous credential: rotate after 20" in result.stderr
    assert stages(scene, secrets) == before


def test_a_young_credential_rotates_if_its_tag_allows_it(scene: Scene, secrets: Any):
    deploy(scene, secrets)
    until = (datetime.now(UTC) + timedelta(minutes=15)).isoformat()
    secrets.tag_resource(SecretId=name(scene), Tags=[{"Key": "RotateEarlyUntil", "Value": until}])
    former = stages(scene, secrets)["AWSCURRENT"]
    assert scene.run("rotate", "--yes").exit_code == 0
    wait(scene)
    assert stages(scene, secrets)["AWSPREVIOUS"] == former


def test_without_a_secret_the_message_names_the_stack(scene: Scene):
    result = scene.run("rotate", "--yes")
    assert (result.exit_code, result.stderr) == (1, f"{name(scene)} does not exist: deploy {scene.name}-rotation\n")


def test_a_secret_that_does_not_rotate_is_refused(scene: Scene, secrets: Any):
    secrets.create_secret(Name=name(scene), SecretString="{}")
    result = scene.run("rotate", "--yes")
    assert result.exit_code == 1
    assert "rotation is off: deploy the rotation tier" in result.stderr


def test_the_state_of_a_refused_rotation_is_shown(scene: Scene, secrets: Any):
    deploy(scene, secrets, fails=True)
    pending = stages(scene, secrets)["AWSPENDING"]
    age(scene, secrets, hours=1)
    logs, group = scene.aws.client("logs"), scene.names.rotation_log_group
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="1")
    now = int(datetime.now(UTC).timestamp() * 1000)
    lines = [
        ("ERROR", f"setSecret of it, version {pending}: an earlier reason"),
        ("ERROR", f"setSecret of it, version {pending}: the reason. The remedy"),
        ("INFO", f"createSecret of it, version {pending}: done"),
        ("ERROR", "setSecret of it, version another: of another version"),
    ]
    events = [json.dumps({"level": level, "message": message}) for level, message in lines]
    # Lines of the Lambda runtime.
    events += [json.dumps({"log_level": "ERROR", "errorMessage": f"version {pending}"}), f"[ERROR] version {pending}"]
    for number, event in enumerate(events):
        logs.put_log_events(
            logGroupName=group, logStreamName="1", logEvents=[{"timestamp": now + number, "message": event}]
        )
    result = scene.run("rotate", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.output == (
        f"{name(scene)}: not yet created; version {pending} has been pending for 1 h 0 min\n"
        f"setSecret of it, version {pending}: the reason. The remedy\n"
    )


def test_a_refused_rotation_is_cancelled_and_no_other_started(scene: Scene, secrets: Any):
    deploy(scene, secrets, fails=True)
    pending = stages(scene, secrets)["AWSPENDING"]
    age(scene, secrets, hours=1)
    result = scene.run("rotate", "--cancel", answer="y\n")
    assert result.exit_code == 0, result.output
    assert f"Cancel the rotation to version {pending}?" in result.output
    assert result.output.endswith(f"{name(scene)}: cancelled the rotation to version {pending}\n")
    assert "AWSPENDING" not in stages(scene, secrets)
    result = scene.run("rotate", "--cancel", "--yes")
    assert (result.exit_code, result.stderr) == (1, f"{name(scene)}: no rotation is pending\n")


def test_a_young_credential_does_not_prevent_a_cancellation(scene: Scene, secrets: Any):
    deploy(scene, secrets)
    secrets.put_secret_value(SecretId=name(scene), SecretString="{}", VersionStages=["AWSPENDING"])
    assert "may be in progress" in scene.run("rotate", "--cancel", "--yes").stderr
    arn = secrets.describe_secret(SecretId=name(scene))["ARN"]
    pending = stages(scene, secrets)["AWSPENDING"]
    scene.aws.backend("secretsmanager").secrets[arn].versions[pending]["createdate"] -= 3600
    assert scene.run("rotate", "--cancel", "--yes").exit_code == 0
    assert "AWSPENDING" not in stages(scene, secrets)
