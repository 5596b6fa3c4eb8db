"""The bucket that an environment's states lie in: with versions, under a key of its own, and never in plaintext.

Each setting that is missing is set, each that is weaker is raised, and each that
is somebody's own is left, with what to do about it.
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from operations.account import Account
from operations.bootstrap.state_key import StateKey
from operations.bootstrap.steps import ABSENT, Step, policy_step, unchanged
from operations.errors import call_or_none, error_code
from stacks.names import Names
from stacks.statements import EVERYONE, Condition, as_document, deny, deny_other_accounts, deny_plaintext
from synthesized.policy_statements import PolicyDocument

NONCURRENT_VERSION_DAYS = 365
ALL_BLOCKED = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
LIFECYCLE: dict[str, Any] = {
    "ID": "old-versions",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_VERSION_DAYS},
    "Expiration": {"ExpiredObjectDeleteMarker": True},  # what is left of a released lock
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def bucket_policy(names: Names, key_arn: str) -> PolicyDocument:
    """No plaintext, no other account, no other key: by its alias, as the backend names it, by its ARN, or unnamed."""
    bucket = f"arn:aws:s3:::{names.state_bucket}"
    everything, objects = [bucket, f"{bucket}/*"], [f"{bucket}/*"]
    algorithm, key, customers = (
        f"s3:x-amz-server-side-encryption{what}" for what in ("", "-aws-kms-key-id", "-customer-algorithm")
    )
    encrypted = Condition("Null", algorithm, ["false"])
    return as_document(
        deny_plaintext(["s3:*"], everything),
        deny(
            "DenyOldTls",
            ["s3:*"],
            everything,
            to=EVERYONE,
            when=[Condition("NumericLessThan", "s3:TlsVersion", ["1.2"])],
        ),
        deny_other_accounts(names.account, ["s3:*"], everything),
        # A request that says nothing of encryption gets the bucket's own, which is our key.
        deny(
            "DenyOtherEncryption",
            ["s3:PutObject"],
            objects,
            to=EVERYONE,
            when=[encrypted, Condition("StringNotEquals", algorithm, ["aws:kms"])],
        ),
        deny(
            "DenyOtherKeys",
            ["s3:PutObject"],
            objects,
            to=EVERYONE,
            when=[encrypted, Condition("StringNotEquals", key, [names.state_key_alias_arn, key_arn])],
        ),
        deny(
            "DenyKeysOfCustomers",
            ["s3:PutObject"],
            objects,
            to=EVERYONE,
            when=[Condition("Null", customers, ["false"])],
        ),
    )


class StateBucket:
    """The bucket of the states. Every call says whose it must be: names of buckets are anybody's to take."""

    def __init__(self, account: Account, key: StateKey) -> None:
        self._account = account
        self._key = key
        self._s3 = account.client("s3")
        self._name = account.names.state_bucket
        self._bucket = {"Bucket": self._name, "ExpectedBucketOwner": account.settings.account}

    def steps(self) -> Iterator[Step]:
        """What is to be done about it."""
        what = f"bucket {self._name}"
        try:
            there = call_or_none(self._s3.head_bucket, "404", **self._bucket)
        except ClientError as error:
            if error_code(error) != "403":
                raise
            yield Step(
                what,
                "there, but not this account's, or not to be seen",
                "left as it is",
                remedy="let these credentials have s3:ListBucket on it; if another account has it, ask whose it is, "
                "because no other name will do",
            )
            return
        region = self._account.settings.region
        if there and there.get("BucketRegion", region) != region:
            yield Step(
                what,
                f"there, in {there['BucketRegion']}",
                "left as it is",
                remedy=f"the backend looks for it in {region}: empty and delete it, if nothing of yours is in it",
            )
            return
        yield unchanged(what, region) if there else Step(what, ABSENT, "made", self._create)
        yield from (
            self._ownership(),
            self._public_access(),
            self._versioning(),
            self._encryption(),
            self._policy(),
            self._lifecycle(),
            self._tags(),
        )

    def _create(self) -> None:
        region = self._account.settings.region
        # S3's first Region has no name here.
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self._s3.create_bucket(Bucket=self._name, ObjectOwnership="BucketOwnerEnforced", **place)

    def _ownership(self) -> Step:
        answer = self._read("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        now = answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"] if answer else ABSENT
        return self._setting_step(
            "access lists",
            now,
            "BucketOwnerEnforced",
            "put_bucket_ownership_controls",
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
        )

    def _public_access(self) -> Step:
        answer = self._read("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        blocked = answer["PublicAccessBlockConfiguration"] if answer else {}
        return self._setting_step(
            "public access",
            f"{sum(blocked.values())} of 4 ways blocked" if answer else ABSENT,
            "4 of 4 ways blocked",
            "put_public_access_block",
            {"PublicAccessBlockConfiguration": ALL_BLOCKED},
        )

    def _versioning(self) -> Step:
        answer = self._read("get_bucket_versioning") or {}
        if answer.get("MFADelete") == "Enabled":
            return Step(
                "versions",
                f"{answer.get('Status')}, and deleted with MFA only",
                "left as it is",
                remedy="with MFA delete S3 takes no lifecycle, and nobody releases a lock by its version: keep the "
                "bucket as it is and do without bootstrap (docs/bootstrap.md), or turn MFA delete off as the root user",
            )
        return self._setting_step(
            "versions",
            answer.get("Status", ABSENT),
            "Enabled",
            "put_bucket_versioning",
            {"VersioningConfiguration": {"Status": "Enabled"}},
        )

    def _encryption(self) -> Step:
        answer = self._read("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0] if answer else {}
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        algorithm, key = default.get("SSEAlgorithm"), default.get("KMSMasterKeyID")
        arn = self._key.existing_arn()
        then = f"aws:kms, {self._key.alias}"
        if algorithm == "aws:kms" and arn and key in {self._key.alias, arn, arn.rpartition("/")[2]}:
            return unchanged("encryption", then)
        # S3's own key, or the one that AWS keeps for S3: none that somebody chose.
        if algorithm in {None, "AES256"} or (algorithm == "aws:kms" and not key):
            return Step("encryption", algorithm or ABSENT, then, partial(self._encrypt, rule))
        return Step(
            "encryption",
            f"{algorithm}, {key}",
            "left as it is",
            remedy=f"the backend names {self._key.alias}: let that alias lead to the key that is there (aws kms "
            "update-alias), or change the bucket's encryption yourself, when nobody needs the other key any more",
        )

    def _encrypt(self, rule: Mapping[str, Any]) -> None:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self._key.arn()}
        ours = {**rule, "ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
        self._s3.put_bucket_encryption(**self._bucket, ServerSideEncryptionConfiguration={"Rules": [ours]})

    def _policy(self) -> Step:
        answer = self._read("get_bucket_policy", "NoSuchBucketPolicy")
        return policy_step(
            "policy of the bucket",
            bucket_policy(self._account.names, self._key.existing_arn() or "none yet"),
            json.loads(answer["Policy"]) if answer else None,
            "TLS 1.2, own account, own key",
            lambda: self._s3.put_bucket_policy(
                **self._bucket, Policy=json.dumps(bucket_policy(self._account.names, self._key.arn()))
            ),
            "add what it lacks (aws s3api put-bucket-policy); what else it says can stay",
        )

    def _lifecycle(self) -> Step:
        answer = self._read("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        rules = answer["Rules"] if answer else []
        then = f"old versions go after {NONCURRENT_VERSION_DAYS} days, interrupted uploads after 7"
        if not rules:
            configuration = {"LifecycleConfiguration": {"Rules": [LIFECYCLE]}}
            return self._setting_step("lifecycle", ABSENT, then, "put_bucket_lifecycle_configuration", configuration)
        if [_without_id(rule) for rule in rules] == [_without_id(LIFECYCLE)]:
            return unchanged("lifecycle", then)
        return Step(
            "lifecycle",
            f"other rules: {', '.join(rule.get('ID', 'without a name') for rule in rules)}",
            "left as it is",
            remedy=f"see that no rule lets a current version expire; for what bootstrap wants ({then}), remove the "
            "rules (aws s3api delete-bucket-lifecycle) and run it again",
        )

    def _tags(self) -> Step:
        answer = self._read("get_bucket_tagging", "NoSuchTagSet")
        there = {tag["Key"]: tag["Value"] for tag in answer["TagSet"]} if answer else {}
        wanted = self._account.tags
        # What an organization says of its bucket stays.
        tags = [{"Key": name, "Value": value} for name, value in {**wanted, **there}.items()]
        return self._setting_step(
            "tags of the bucket",
            _format_tags({name: there[name] for name in wanted if name in there}) or ABSENT,
            _format_tags({name: there.get(name, value) for name, value in wanted.items()}),
            "put_bucket_tagging",
            {"Tagging": {"TagSet": tags}},
        )

    def _read(self, operation: str, *missing: str) -> Any:
        return call_or_none(getattr(self._s3, operation), "NoSuchBucket", *missing, **self._bucket)

    def _setting_step(self, what: str, now: str, then: str, operation: str, arguments: Mapping[str, Any]) -> Step:
        """Of a setting that can only be weaker than ours, or ours."""
        if now == then:
            return unchanged(what, then)
        return Step(what, now, then, lambda: getattr(self._s3, operation)(**self._bucket, **arguments))


def _without_id(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule by what it does, to the whole bucket or to a part."""
    told = {key: value for key, value in rule.items() if key not in {"ID", "Prefix"}}
    return told | {"Filter": rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}}


def _format_tags(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in tags.items())
