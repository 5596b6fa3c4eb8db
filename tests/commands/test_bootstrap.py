"""What is made before the first stack; what is left alone; what is refused."""

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
def made(scene: Scene) -> Scene:
    """An environment whose bootstrap is done."""
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


def test_the_bucket_is_private_versioned_encrypted_by_its_own_key_and_forgets_slowly(made: Scene):
    s3, bucket = made.aws.client("s3"), {"Bucket": made.names.state_bucket}
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_of(made)},
        "BucketKeyEnabled": True,
    }
    assert set(s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    ownership = s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (rule,) = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 365}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}  # and no date for what is current
    policy = json.loads(s3.get_bucket_policy(**bucket)["Policy"])
    assert policy == bucket_policy(made.names, key_of(made))


def test_the_buckets_policy_only_denies_and_takes_our_key_by_alias_or_arn(made: Scene):
    statements = {statement["Sid"]: statement for statement in bucket_policy(made.names, "arn")["Statement"]}
    assert {statement["Effect"] for statement in statements.values()} == {"Deny"}
    assert statements["DenyPlaintext"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    keys = statements["DenyOtherKeys"]["Condition"]["StringNotEquals"]
    assert keys == {"s3:x-amz-server-side-encryption-aws-kms-key-id": [made.names.state_key_alias_arn, "arn"]}


def test_the_key_has_the_policy_of_the_stacks_keys_and_a_new_version_a_year(made: Scene, dev: Platform):
    kms = made.aws.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=key_of(made), PolicyName="default")["Policy"])
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
    (administrator,) = made.settings.foundation.key_administrators
    assert policy["Statement"][1]["Principal"] == {"AWS": administrator}
    assert kms.get_key_rotation_status(KeyId=key_of(made))["KeyRotationEnabled"]


def test_the_boundary_and_the_administrators_are_those_that_the_settings_name(made: Scene):
    iam = made.aws.client("iam")
    policy = iam.get_policy(PolicyArn=made.settings.permissions_boundary)["Policy"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"] == boundary(made.names)
    (arn,) = made.settings.foundation.key_administrators
    role = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
    assert role["Arn"] == arn
    assert role["AssumeRolePolicyDocument"] == key_administrators_trust(made.names)
    assert role["MaxSessionDuration"] == 3600
    (name,) = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
    assert document == key_administrators_permissions()


def test_all_that_is_made_is_tagged_as_the_stacks_tag_but_as_no_stacks(made: Scene):
    iam, settings = made.aws.client("iam"), made.settings
    tagged = [
        made.aws.client("s3").get_bucket_tagging(Bucket=made.names.state_bucket)["TagSet"],
        iam.list_policy_tags(PolicyArn=settings.permissions_boundary)["Tags"],
        iam.list_role_tags(RoleName=made.names.resource_name("key-administrators"))["Tags"],
        [
            {"Key": tag["TagKey"], "Value": tag["TagValue"]}
            for tag in made.aws.client("kms").list_resource_tags(KeyId=key_of(made))["Tags"]
        ],
    ]
    for tags in tagged:
        assert {tag["Key"]: tag["Value"] for tag in tags} == {
            "Project": "globecart",
            "Environment": made.name,
            "Tier": "state",
            "ManagedBy": "bootstrap",
            "Owner": settings.owner,
        }


def test_a_second_run_finds_nothing_to_be_done(made: Scene):
    result = made.run("bootstrap")
    assert result.exit_code == 0, result.output
    assert result.output.endswith("Nothing is to be done.\n")


def test_a_dry_run_shows_all_and_makes_nothing(scene: Scene):
    result = scene.run("bootstrap", "--dry-run")
    assert result.exit_code == 0, result.output
    for what in ("globecart-%s-boundary", "globecart-%s-key-administrators", "alias/globecart-%s-state"):
        assert what % scene.name in result.output
    assert scene.names.state_bucket in result.output
    assert result.output.endswith("Nothing was done (--dry-run).\n")
    assert not bucket_is_there(scene)


def test_it_asks_first(scene: Scene):
    result = scene.run("bootstrap", answer="n\n")
    assert (result.exit_code, result.stderr) == (1, "nothing was done\n")
    assert not bucket_is_there(scene)
    result = scene.run("bootstrap", answer="y\n")
    assert result.exit_code == 0, result.output
    assert bucket_is_there(scene)


def test_nobody_to_ask_is_no_consent(scene: Scene):
    assert scene.run("bootstrap").exit_code == 1
    assert not bucket_is_there(scene)


def test_in_s3s_first_region_the_bucket_is_made_without_naming_it(scene: Scene):
    scene.write({"region": "us-east-1", "network": {"zones": ["us-east-1a", "us-east-1b"]}})
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    assert bucket_is_there(scene)


def test_a_bucket_that_is_weaker_is_raised_and_keeps_its_own_tags(scene: Scene):
    s3, name = scene.aws.client("s3"), make_bucket(scene, ObjectOwnership="ObjectWriter")
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "CostCenter", "Value": "7"}]})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]  # AWS's own key for S3
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    for before in ("ObjectWriter", "1 of 4 ways blocked", "Suspended"):
        assert before in result.output
    assert {"Key": "CostCenter", "Value": "7"} in s3.get_bucket_tagging(Bucket=name)["TagSet"]
    assert scene.run("bootstrap").output.endswith("Nothing is to be done.\n")


def test_a_key_that_rotates_not_at_all_or_too_seldom_is_made_to(made: Scene):
    kms, key = made.aws.client("kms"), key_of(made)
    kms.disable_key_rotation(KeyId=key)
    for _ in range(2):
        result = made.run("bootstrap", "--yes")
        assert result.output.endswith("done: rotation of the key: every 365 days\n")
        assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 365
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=730)


def test_a_key_that_rotates_more_often_keeps_its_pace(made: Scene):
    made.aws.client("kms").enable_key_rotation(KeyId=key_of(made), RotationPeriodInDays=90)
    assert made.run("bootstrap").output.endswith("Nothing is to be done.\n")


def test_policies_that_say_more_than_ours_stay(made: Scene):
    s3, kms, bucket = made.aws.client("s3"), made.aws.client("kms"), made.names.state_bucket
    stricter = bucket_policy(made.names, key_of(made))
    stricter["Statement"].append(OTHER | {"Resource": f"arn:aws:s3:::{bucket}/other/*"})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(stricter))
    of_key = as_document(*key_policy(ACCOUNT, made.settings.foundation.key_administrators))
    of_key["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*"})
    kms.put_key_policy(KeyId=key_of(made), PolicyName="default", Policy=json.dumps(of_key))
    result = made.run("bootstrap")
    assert result.output.endswith("Nothing is to be done.\n")
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
    ("found", "told"),
    [
        (foreign_bucket_policy, ["policy of the bucket: another, without DenyPlaintext,", '"Sid": "DenyOtherKeys"']),
        (foreign_key, ["encryption: aws:kms, arn:aws:kms:", "aws kms update-alias"]),
        (foreign_lifecycle, ["lifecycle: other rules: keep-for-ever"]),
        (deletion_with_mfa, ["versions: Enabled, and deleted with MFA only"]),
        (another_account, ["there, but not this account's, or not to be seen", "s3:ListBucket"]),
        (another_region, ["there, in eu-west-1", "the backend looks for it in us-west-1"]),
        (disabled_key, ["Disabled, CUSTOMER, SYMMETRIC_DEFAULT", "aws kms enable-key"]),
        (foreign_key_policy, ["policy of the key: another, without AdministerWithoutUse, OnlyServicesMakeGrants"]),
        (foreign_boundary, ["another, without Secrets,", "--print-boundary", '"Sid": "NoIdentities"']),
        (foreign_permissions, ["policy of the key administrators: another, without FindKeys"]),
        (missing_boundary_of_the_organization, [f"{ACCOUNT}:policy/org/limit: absent", "-boundary in the settings"]),
        (
            missing_administrators_of_the_organization,
            ["role/org/security: absent", "-key-administrators in the settings"],
        ),
    ],
)
def test_what_is_anothers_is_refused_with_what_to_do_and_nothing_is_done(
    made: Scene, found: Callable[[Scene], None], told: list[str]
):
    s3, bucket = made.aws.client("s3"), made.names.state_bucket
    s3.delete_bucket_tagging(Bucket=bucket)
    found(made)
    result = made.run("bootstrap", "--yes")
    assert result.exit_code == 1, result.output
    for words in told:
        assert words in result.output
    assert result.stderr == "nothing was done, so that nothing of yours is weakened\n"
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)


def test_what_is_the_organizations_and_is_there_is_left(made: Scene):
    iam = made.aws.client("iam")
    policy = iam.create_policy(
        PolicyName=f"limit-{made.name}", Path="/org/", PolicyDocument=json.dumps(boundary(made.names))
    )
    trust = json.dumps(key_administrators_trust(made.names))
    role = iam.create_role(RoleName=f"security-{made.name}", Path="/org/", AssumeRolePolicyDocument=trust)
    made.write(
        {
            "permissions_boundary": policy["Policy"]["Arn"],
            "foundation": {
                "key_administrators": [*made.settings.foundation.key_administrators, role["Role"]["Arn"]],
            },
        }
    )
    kms, key = made.aws.client("kms"), key_of(made)
    both = json.dumps(as_document(*key_policy(ACCOUNT, made.settings.foundation.key_administrators)))
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=both)
    result = made.run("bootstrap")
    assert result.exit_code == 0, result.output
    assert result.output.count("your organization's") == 2


def test_what_was_interrupted_is_completed_by_another_run(scene: Scene):
    denied = refusal("PutBucketPolicy", "AccessDenied", "Access Denied")
    with scene.monkeypatch.context() as today:
        scene.monkeypatch = today
        scene.intercept("PutBucketPolicy", denied)
        result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 1
    assert result.stderr == "denied: s3:PutBucketPolicy; these credentials need it (AccessDenied: Access Denied)\n"
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    assert "done: policy of the bucket" in result.output
    assert "done: bucket" not in result.output


def test_a_key_that_got_no_alias_is_told(scene: Scene):
    denied = "User: arn:x is not authorized to perform: kms:CreateAlias on resource: arn:y"
    scene.intercept("CreateAlias", refusal("CreateAlias", "AccessDeniedException", denied))
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith("denied: kms:CreateAlias; these credentials need it")
    assert f"aws kms create-alias --alias-name alias/globecart-{scene.name}-state --target-key-id " in result.stderr


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr("operations.bootstrap.steps.time.sleep", waited.append)
    return waited


def not_yet(times: int) -> Callable[[dict[str, Any]], None]:
    """KMS has not heard of the new role."""
    left = iter(range(times))

    def answer(arguments: dict[str, Any]) -> None:
        if next(left, None) is not None:
            refusal("CreateKey", "MalformedPolicyDocumentException", "principals")(arguments)

    return answer


def test_a_role_that_kms_has_not_heard_of_yet_is_waited_for(scene: Scene, waits: list[float]):
    scene.intercept("CreateKey", not_yet(2))
    result = scene.run("bootstrap", "--yes")
    assert result.exit_code == 0, result.output
    assert waits == [5, 5]


def test_but_not_for_ever(scene: Scene, waits: list[float]):
    scene.intercept("CreateKey", not_yet(1000))
    result = scene.run("bootstrap", "--yes")
    assert (result.exit_code, len(waits)) == (1, 12)
    assert result.stderr == "AWS refused CreateKey: MalformedPolicyDocumentException: principals\n"


def test_what_is_not_to_be_asked_is_told(scene: Scene):
    scene.intercept("HeadBucket", refusal("HeadBucket", "400", "Bad Request"))
    assert scene.run("bootstrap").stderr == "AWS refused HeadBucket: 400: Bad Request\n"


def test_the_boundary_can_be_read_without_aws(scene: Scene):
    scene.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result: Result = scene.run("bootstrap", "--print-boundary")
    assert (result.exit_code, json.loads(result.output)) == (0, boundary(scene.names))


def test_documents_are_compared_by_what_they_say():
    ours = {"Statement": {"Sid": "A", "Action": ["x:B", "x:A"], "Principal": "*", "Condition": {"Bool": {"k": True}}}}
    theirs = {
        "Statement": [{"Action": ["x:A", "x:B"], "Principal": {"AWS": "*"}, "Condition": {"Bool": {"k": ["true"]}}}]
    }
    assert not missing_statements(ours, theirs)
    assert missing_statements(ours, {"Statement": []})


def test_the_role_of_config_is_made_where_config_is_on(made: Scene):
    assert "role of AWS Config" not in made.run("bootstrap", "--dry-run").output
    made.write({"audit": {"config": True}})
    assert made.run("bootstrap", "--yes").exit_code == 0
    role = made.aws.client("iam").get_role(RoleName="AWSServiceRoleForConfig")["Role"]
    assert role["Arn"] == made.names.config_role_arn
    again = made.run("bootstrap")
    assert again.output.endswith("Nothing is to be done.\n")
    assert "AWS's own" in again.output
