"""bootstrap: what it creates, what it keeps and what it refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from operations.bootstrap.boundary import boundary, key_administrators_permissions, key_administrators_trust
from operations.bootstrap.state_bucket import bucket_policy
from stacks.foundation.key_policy import key_policy
from stacks.statements import as_document
from synthesized.platform import Platform
from synthesized.policy_statements import missing_statements
from tests.commands.conftest import ACCOUNT, Scene, refusal

OTHER = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": []}


@pytest.fixture
def bootstrapped(scene: Scene) -> Scene:
    """An environment that is bootstrapped."""
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    return scene


def bucket_is_there(scene: Scene) -> bool:
    buckets = scene.aws.client("s3").list_buckets()["Buckets"]
    return scene.names.state_bucket in {bucket["Name"] for bucket in buckets}


def make_bucket(scene: Scene, **arguments: Any) -> str:
    name = scene.names.state_bucket
    place = {"LocationConstraint": scene.settings.region}
    scene.aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place, **arguments)
    return name


def key_of(scene: Scene) -> str:
    return scene.aws.client("kms").describe_key(KeyId=scene.names.state_key_alias_arn)["KeyMetadata"]["Arn"]


def test_the_bucket_is_private_versioned_encrypted_and_keeps_old_versions_for_a_year(
    bootstrapped: Scene,
):
    s3, bucket = bootstrapped.aws.client("s3"), {"Bucket": bootstrapped.names.state_bucket}
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_of(bootstrapped)},
        "BucketKeyEnabled": True,
    }
    assert set(s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    ownership = s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (rule,) = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 365}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}  # current versions do not expire
    policy = json.loads(s3.get_bucket_policy(**bucket)["Policy"])
    assert policy == bucket_policy(bootstrapped.names, key_of(bootstrapped))


def test_the_buckets_policy_only_denies_and_accepts_its_key_by_alias_or_arn(bootstrapped: Scene):
    statements = {statement["Sid"]: statement for statement in bucket_policy(bootstrapped.names, "arn")["Statement"]}
    assert {statement["Effect"] for statement in statements.values()} == {"Deny"}
    assert statements["DenyPlaintext"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    keys = statements["DenyOtherKeys"]["Condition"]["StringNotEquals"]
    assert keys == {"s3:x-amz-server-side-encryption-aws-kms-key-id": [bootstrapped.names.state_key_alias_arn, "arn"]}


def test_the_key_has_the_policy_of_the_stacks_keys_and_rotates_yearly(bootstrapped: Scene, dev: Platform):
    kms = bootstrapped.aws.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=key_of(bootstrapped), PolicyName="default")["Policy"])
    (ours,) = [each for each in dev.data if each.name == "key-images-policy"]
    for statement, synthesized in zip(policy["Statement"], ours.body["statement"], strict=True):
        assert statement["Sid"] == synthesized["sid"]
        assert statement["Effect"] == synthesized["effect"]
        assert statement["Action"] == synthesized["actions"]
        conditions = [
            (test, variable, [value])
            for test, of in statement.get("Condition", {}).items()
            for variable, value in of.items()
        ]
        assert conditions == [
            (each["test"], each["variable"], each["values"]) for each in synthesized.get("condition", [])
        ]
    (administrator,) = bootstrapped.settings.foundation.key_administrators
    assert policy["Statement"][1]["Principal"] == {"AWS": administrator}
    assert kms.get_key_rotation_status(KeyId=key_of(bootstrapped))["KeyRotationEnabled"]


def test_the_boundary_and_the_administrators_are_those_that_the_settings_name(bootstrapped: Scene):
    iam = bootstrapped.aws.client("iam")
    policy = iam.get_policy(PolicyArn=bootstrapped.settings.permissions_boundary)["Policy"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"] == boundary(bootstrapped.names)
    (arn,) = bootstrapped.settings.foundation.key_administrators
    role = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
    assert role["Arn"] == arn
    assert role["AssumeRolePolicyDocument"] == key_administrators_trust(bootstrapped.names)
    assert role["MaxSessionDuration"] == 3600
    (name,) = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
    assert document == key_administrators_permissions()


def test_created_resources_have_the_stacks_tags_but_are_managed_by_bootstrap(bootstrapped: Scene):
    iam, settings = bootstrapped.aws.client("iam"), bootstrapped.settings
    tagged = [
        bootstrapped.aws.client("s3").get_bucket_tagging(Bucket=bootstrapped.names.state_bucket)["TagSet"],
        iam.list_policy_tags(PolicyArn=settings.permissions_boundary)["Tags"],
        iam.list_role_tags(RoleName=bootstrapped.names.resource_name("key-administrators"))["Tags"],
        [
            {"Key": tag["TagKey"], "Value": tag["TagValue"]}
            for tag in bootstrapped.aws.client("kms").list_resource_tags(KeyId=key_of(bootstrapped))["Tags"]
        ],
    ]
    for tags in tagged:
        assert {tag["Key"]: tag["Value"] for tag in tags} == {
            "Project": "acme",
            "Environment": bootstrapped.name,
            "Tier": "state",
            "ManagedBy": "bootstrap",
            "Owner": settings.owner,
        }


def test_a_second_run_has_nothing_to_do(bootstrapped: Scene):
    result = bootstrapped.run("bootstrap")
    assert result.exit_code == 0, result.output
    assert result.output.endswith("Nothing to do.\n")


def test_a_dry_run_shows_all_steps_and_creates_nothing(scene: Scene):
    result = scene.run("bootstrap", "--dry-run")
    assert result.exit_code == 0, result.output
    for what in ("acme-%s-boundary", "acme-%s-key-administrators", "alias/acme-%s-state"):
        assert what % scene.name in result.output
    assert scene.names.state_bucket in result.output
    assert result.output.endswith("Nothing was done (--dry-run).\n")
    assert not bucket_is_there(scene)


def test_nothing_is_created_without_confirmation(scene: Scene):
    result = scene.run("bootstrap", answer="n\n")
    assert (result.exit_code, result.stderr) == (1, "nothing was done\n")
    assert not bucket_is_there(scene)
    result = scene.run("bootstrap", answer="y\n")
    assert result.exit_code == 0, result.output
    assert bucket_is_there(scene)


def test_without_input_nothing_is_confirmed(scene: Scene):
    assert scene.run("bootstrap").exit_code == 1
    assert not bucket_is_there(scene)


def test_in_us_east_1_the_bucket_is_created_without_a_location_constraint(scene: Scene):
    scene.write({"region": "us-east-1", "network": {"zones": ["us-east-1a", "us-east-1b"]}})
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    assert bucket_is_there(scene)


def test_a_weaker_bucket_is_corrected_and_keeps_its_own_tags(scene: Scene):
    s3, name = scene.aws.client("s3"), make_bucket(scene, ObjectOwnership="ObjectWriter")
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "CostCenter", "Value": "7"}]})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]  # AWS's own key for S3
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    for before in ("ObjectWriter", "1 of 4 settings block it", "Suspended"):
        assert before in result.output
    assert {"Key": "CostCenter", "Value": "7"} in s3.get_bucket_tagging(Bucket=name)["TagSet"]
    assert scene.run("bootstrap").output.endswith("Nothing to do.\n")


def test_key_rotation_that_is_off_or_too_slow_is_corrected(bootstrapped: Scene):
    kms, key = bootstrapped.aws.client("kms"), key_of(bootstrapped)
    kms.disable_key_rotation(KeyId=key)
    for _ in range(2):
        result = bootstrapped.run("bootstrap", "--yes")
        assert result.output.endswith("done: key rotation: every 365 days\n")
        assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 365
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=730)


def test_a_key_that_rotates_more_often_is_unchanged(bootstrapped: Scene):
    bootstrapped.aws.client("kms").enable_key_rotation(KeyId=key_of(bootstrapped), RotationPeriodInDays=90)
    assert bootstrapped.run("bootstrap").output.endswith("Nothing to do.\n")


def test_a_key_of_the_organization_without_the_environments_tag_is_kept(bootstrapped: Scene):
    key = key_of(bootstrapped).rpartition("/")[2]
    bootstrapped.aws.client("kms").untag_resource(KeyId=key, TagKeys=["Environment"])
    assert bootstrapped.run("bootstrap").output.endswith("Nothing to do.\n")


def test_policies_with_additional_statements_are_kept(bootstrapped: Scene):
    s3, kms, bucket = bootstrapped.aws.client("s3"), bootstrapped.aws.client("kms"), bootstrapped.names.state_bucket
    stricter = bucket_policy(bootstrapped.names, key_of(bootstrapped))
    stricter["Statement"].append(OTHER | {"Resource": f"arn:aws:s3:::{bucket}/other/*"})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(stricter))
    of_key = as_document(*key_policy(ACCOUNT, bootstrapped.settings.foundation.key_administrators))
    of_key["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*"})
    kms.put_key_policy(KeyId=key_of(bootstrapped), PolicyName="default", Policy=json.dumps(of_key))
    result = bootstrapped.run("bootstrap")
    assert result.output.endswith("Nothing to do.\n")
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == stricter


def foreign_bucket_policy(scene: Scene) -> None:
    scene.aws.client("s3").put_bucket_policy(
        Bucket=scene.names.state_bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": OTHER})
    )


def foreign_key(scene: Scene) -> None:
    key = scene.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
    scene.aws.client("s3").put_bucket_encryption(
        Bucket=scene.names.state_bucket, ServerSideEncryptionConfiguration={"Rules": rules}
    )


def foreign_lifecycle(scene: Scene) -> None:
    rules = [
        {
            "Status": "Enabled",
            "Prefix": "",
            "ID": "keep-for-ever",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 9999},
        }
    ]
    scene.aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=scene.names.state_bucket, LifecycleConfiguration={"Rules": rules}
    )


def deletion_with_mfa(scene: Scene) -> None:
    scene.intercept("GetBucketVersioning", lambda _: {"Status": "Enabled", "MFADelete": "Enabled"})


def another_account(scene: Scene) -> None:
    scene.intercept("HeadBucket", refusal("HeadBucket", "403", "Forbidden"))


def another_region(scene: Scene) -> None:
    scene.intercept("HeadBucket", lambda _: {"BucketRegion": "eu-west-1"})


def disabled_key(scene: Scene) -> None:
    scene.aws.client("kms").disable_key(KeyId=key_of(scene).rpartition("/")[2])


def key_of_another_environment(scene: Scene) -> None:
    tags = [{"TagKey": "Environment", "TagValue": f"{scene.name}-eu"}]
    scene.aws.client("kms").tag_resource(KeyId=key_of(scene).rpartition("/")[2], Tags=tags)


def foreign_key_policy(scene: Scene) -> None:
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    scene.aws.client("kms").put_key_policy(
        KeyId=key_of(scene), PolicyName="default", Policy=json.dumps({"Version": "2012-10-17", "Statement": [root]})
    )


def foreign_boundary(scene: Scene) -> None:
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    scene.aws.client("iam").create_policy_version(
        PolicyArn=scene.settings.permissions_boundary, PolicyDocument=json.dumps(everything), SetAsDefault=True
    )


def foreign_permissions(scene: Scene) -> None:
    more = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}
    scene.aws.client("iam").put_role_policy(
        RoleName=scene.names.resource_name("key-administrators"),
        PolicyName="key-administration",
        PolicyDocument=json.dumps(more),
    )


def missing_boundary_of_the_organization(scene: Scene) -> None:
    scene.write({"permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/org/limit"})


def missing_administrators_of_the_organization(scene: Scene) -> None:
    scene.write({"foundation": {"key_administrators": [f"arn:aws:iam::{ACCOUNT}:role/org/security"]}})


@pytest.mark.parametrize(
    ("found", "messages"),
    [
        (foreign_bucket_policy, ["bucket policy: lacks DenyPlaintext,", '"Sid": "DenyOtherKeys"']),
        (foreign_key, ["encryption: aws:kms, arn:aws:kms:", "aws kms update-alias"]),
        (foreign_lifecycle, ["lifecycle: other rules: keep-for-ever"]),
        (deletion_with_mfa, ["versioning: Enabled, with MFA delete"]),
        (another_account, ["exists, but in another account, or access is denied", "s3:ListBucket"]),
        (another_region, ["exists in eu-west-1", "the backend expects it in eu-west-3"]),
        (disabled_key, ["Disabled, CUSTOMER, SYMMETRIC_DEFAULT", "aws kms enable-key"]),
        (key_of_another_environment, ["tag Environment = ", "aws kms tag-resource"]),
        (foreign_key_policy, ["key policy: lacks AdministerWithoutUse, OnlyServicesMakeGrants"]),
        (foreign_boundary, ["lacks Secrets,", "--print-boundary", '"Sid": "NoIdentities"']),
        (foreign_permissions, ["policy of the key administrators: lacks FindKeys"]),
        (missing_boundary_of_the_organization, [f"{ACCOUNT}:policy/org/limit: absent", "-boundary in the settings"]),
        (
            missing_administrators_of_the_organization,
            ["role/org/security: absent", "-key-administrators in the settings"],
        ),
    ],
)
def test_a_setting_of_somebody_else_is_refused_with_a_remedy_and_nothing_is_changed(
    bootstrapped: Scene, found: Callable[[Scene], None], messages: list[str]
):
    s3, bucket = bootstrapped.aws.client("s3"), bootstrapped.names.state_bucket
    s3.delete_bucket_tagging(Bucket=bucket)
    found(bootstrapped)
    result = bootstrapped.run("bootstrap", "--yes")
    assert result.exit_code == 1, result.output
    for words in messages:
        assert words in result.output
    assert result.stderr == "nothing was done: a step was refused\n"
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)


def test_the_organizations_boundary_and_administrators_are_kept(bootstrapped: Scene):
    iam = bootstrapped.aws.client("iam")
    policy = iam.create_policy(
        PolicyName=f"limit-{bootstrapped.name}", Path="/org/", PolicyDocument=json.dumps(boundary(bootstrapped.names))
    )
    trust = json.dumps(key_administrators_trust(bootstrapped.names))
    role = iam.create_role(RoleName=f"security-{bootstrapped.name}", Path="/org/", AssumeRolePolicyDocument=trust)
    bootstrapped.write(
        {
            "permissions_boundary": policy["Policy"]["Arn"],
            "foundation": {
                "key_administrators": [*bootstrapped.settings.foundation.key_administrators, role["Role"]["Arn"]],
            },
        }
    )
    kms, key = bootstrapped.aws.client("kms"), key_of(bootstrapped)
    both = json.dumps(as_document(*key_policy(ACCOUNT, bootstrapped.settings.foundation.key_administrators)))
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=both)
    result = bootstrapped.run("bootstrap")
    assert result.exit_code == 0, result.output
    assert result.output.count("your organization's") == 2


def test_an_interrupted_run_is_completed_by_another(scene: Scene):
    denied = refusal("PutBucketPolicy", "AccessDenied", "Access Denied")
    with scene.monkeypatch.context() as today:
        scene.monkeypatch = today
        scene.intercept("PutBucketPolicy", denied)
        result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 1
    assert result.stderr == "denied: s3:PutBucketPolicy; these credentials need it (AccessDenied: Access Denied)\n"
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    assert "done: bucket policy" in result.output
    assert f"done: bucket {scene.names.state_bucket}" not in result.output


def test_a_key_without_an_alias_is_reported_with_its_remedy(scene: Scene):
    denied = "User: arn:x is not authorized to perform: kms:CreateAlias on resource: arn:y"
    scene.intercept("CreateAlias", refusal("CreateAlias", "AccessDeniedException", denied))
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith("denied: kms:CreateAlias; these credentials need it")
    assert f"aws kms create-alias --alias-name alias/acme-{scene.name}-state --target-key-id " in result.stderr


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr("operations.bootstrap.steps.time.sleep", waited.append)
    return waited


def not_yet(times: int) -> Callable[[dict[str, Any]], None]:
    """KMS does not know the new role yet."""
    refusals = iter(range(times))

    def refuse_or_pass(arguments: dict[str, Any]) -> None:
        if next(refusals, None) is not None:
            refusal("CreateKey", "MalformedPolicyDocumentException", "principals")(arguments)

    return refuse_or_pass


def test_a_role_that_kms_does_not_know_yet_is_retried(scene: Scene, waits: list[float]):
    scene.intercept("CreateKey", not_yet(2))
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    assert waits == [5, 5]


def test_retries_end_with_the_error(scene: Scene, waits: list[float]):
    scene.intercept("CreateKey", not_yet(1000))
    result = scene.run("bootstrap", "--yes")
    assert (result.exit_code, len(waits)) == (1, 12)
    assert result.stderr == "AWS refused CreateKey: MalformedPolicyDocumentException: principals\n"


def test_an_unexpected_error_is_reported(scene: Scene):
    scene.intercept("HeadBucket", refusal("HeadBucket", "400", "Bad Request"))
    assert scene.run("bootstrap").stderr == "AWS refused HeadBucket: 400: Bad Request\n"


def test_the_boundary_can_be_read_without_aws(scene: Scene):
    scene.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result: Result = scene.run("bootstrap", "--print-boundary")
    assert (result.exit_code, json.loads(result.output)) == (0, boundary(scene.names))


def test_policy_documents_are_compared_by_meaning():
    ours = {"Statement": {"Sid": "A", "Action": ["x:B", "x:A"], "Principal": "*", "Condition": {"Bool": {"k": True}}}}
    theirs = {
        "Statement": [{"Action": ["x:A", "x:B"], "Principal": {"AWS": "*"}, "Condition": {"Bool": {"k": ["true"]}}}]
    }
    assert not missing_statements(ours, theirs)
    assert missing_statements(ours, {"Statement": []})


def test_the_service_linked_role_of_config_is_created_if_config_is_on(bootstrapped: Scene):
    assert "role of AWS Config" not in bootstrapped.run("bootstrap", "--dry-run").output
    bootstrapped.write({"audit": {"config": True}})
    assert bootstrapped.run("bootstrap", "--yes").exit_code == 0
    role = bootstrapped.aws.client("iam").get_role(RoleName="AWSServiceRoleForConfig")["Role"]
    assert role["Arn"] == bootstrapped.names.config_role_arn
    again = bootstrapped.run("bootstrap")
    assert again.output.endswith("Nothing to do.\n")
    assert "service-linked role of AWS Config" in again.output
