"""The S3 bucket for an environment's Terraform states: versioned, encrypted with its own KMS key, TLS only.

Missing settings are added and weaker ones are tightened. Settings that somebody else chose are kept, with a remedy.
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
    "Expiration": {"ExpiredObjectDeleteMarker": True},  # remains of released locks
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def bucket_policy(names: Names, key_arn: str) -> PolicyDocument:
    """Denies plaintext, other accounts and other keys. A request may name the key by alias or ARN, or name none."""
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
        # A request without encryption headers gets the bucket's default, which is this key.
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
    """The state bucket. Every call names the expected owner, since bucket names are global."""

    def __init__(self, account: Account, key: StateKey) -> None:
        self._account = account
        self._key = key
        self._s3 = account.client("s3")
        self._name = account.names.state_bucket
        self._bucket = {"Bucket": self._name, "ExpectedBucketOwner": account.settings.account}

    def steps(self) -> Iterator[Step]:
        """Steps to create or correct the bucket."""
        title = f"bucket {self._name}"
        try:
            existing = call_or_none(self._s3.head_bucket, "404", **self._bucket)
        except ClientError as error:
            if error_code(error) != "403":
                raise
            yield Step(
                title,
                "exists, but in another account, or access is denied",
                "unchanged",
                remedy="grant these credentials s3:ListBucket on it; if another account owns it, contact the owner, "
                "because the name is fixed",
            )
            return
        region = self._account.settings.region
        if existing and existing.get("BucketRegion", region) != region:
            yield Step(
                title,
                f"exists in {existing['BucketRegion']}",
                "unchanged",
                remedy=f"the backend expects it in {region}: empty and delete it if you do not need its content",
            )
            return
        yield unchanged(title, region) if existing else Step(title, ABSENT, "created", self._create)
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
        # CreateBucket rejects us-east-1 as a location constraint.
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self._s3.create_bucket(Bucket=self._name, ObjectOwnership="BucketOwnerEnforced", **place)

    def _ownership(self) -> Step:
        response = self._read("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        current = response["OwnershipControls"]["Rules"][0]["ObjectOwnership"] if response else ABSENT
        return self._setting_step(
            "ACLs",
            current,
            "BucketOwnerEnforced",
            "put_bucket_ownership_controls",
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
        )

    def _public_access(self) -> Step:
        response = self._read("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        blocked = response["PublicAccessBlockConfiguration"] if response else {}
        return self._setting_step(
            "public access",
            f"{sum(blocked.values())} of 4 settings block it" if response else ABSENT,
            "4 of 4 settings block it",
            "put_public_access_block",
            {"PublicAccessBlockConfiguration": ALL_BLOCKED},
        )

    def _versioning(self) -> Step:
        response = self._read("get_bucket_versioning") or {}
        if response.get("MFADelete") == "Enabled":
            return Step(
                "versioning",
                f"{response.get('Status')}, with MFA delete",
                "unchanged",
                remedy="MFA delete prevents lifecycle rules and the release of a lock by its version: keep the bucket "
                "and do without bootstrap (docs/bootstrap.md), or disable MFA delete as the root user",
            )
        return self._setting_step(
            "versioning",
            response.get("Status", ABSENT),
            "Enabled",
            "put_bucket_versioning",
            {"VersioningConfiguration": {"Status": "Enabled"}},
        )

    def _encryption(self) -> Step:
        response = self._read("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        rule = response["ServerSideEncryptionConfiguration"]["Rules"][0] if response else {}
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        algorithm, key = default.get("SSEAlgorithm"), default.get("KMSMasterKeyID")
        arn = self._key.existing_arn()
        planned = f"aws:kms, {self._key.alias}"
        if algorithm == "aws:kms" and arn and key in {self._key.alias, arn, arn.rpartition("/")[2]}:
            return unchanged("encryption", planned)
        # S3's or AWS's managed key: a default, not somebody's choice.
        if algorithm in {None, "AES256"} or (algorithm == "aws:kms" and not key):
            return Step("encryption", algorithm or ABSENT, planned, partial(self._encrypt, rule))
        return Step(
            "encryption",
            f"{algorithm}, {key}",
            "unchanged",
            remedy=f"the backend names {self._key.alias}: point that alias to this key (aws kms update-alias), or "
            "change the bucket's encryption yourself once the other key is no longer needed",
        )

    def _encrypt(self, rule: Mapping[str, Any]) -> None:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self._key.arn()}
        encryption = {**rule, "ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
        self._s3.put_bucket_encryption(**self._bucket, ServerSideEncryptionConfiguration={"Rules": [encryption]})

    def _policy(self) -> Step:
        response = self._read("get_bucket_policy", "NoSuchBucketPolicy")
        return policy_step(
            "bucket policy",
            bucket_policy(self._account.names, self._key.existing_arn() or "none yet"),
            json.loads(response["Policy"]) if response else None,
            "TLS 1.2 or later, this account and this key only",
            lambda: self._s3.put_bucket_policy(
                **self._bucket, Policy=json.dumps(bucket_policy(self._account.names, self._key.arn()))
            ),
            "add the missing statements (aws s3api put-bucket-policy); others may stay",
        )

    def _lifecycle(self) -> Step:
        response = self._read("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        rules = response["Rules"] if response else []
        planned = f"noncurrent versions expire after {NONCURRENT_VERSION_DAYS} days, incomplete uploads after 7"
        if not rules:
            configuration = {"LifecycleConfiguration": {"Rules": [LIFECYCLE]}}
            return self._setting_step("lifecycle", ABSENT, planned, "put_bucket_lifecycle_configuration", configuration)
        if [_without_id(rule) for rule in rules] == [_without_id(LIFECYCLE)]:
            return unchanged("lifecycle", planned)
        return Step(
            "lifecycle",
            f"other rules: {', '.join(rule.get('ID', 'unnamed') for rule in rules)}",
            "unchanged",
            remedy=f"make sure that no rule expires current versions; for bootstrap's rule ({planned}), delete "
            "these (aws s3api delete-bucket-lifecycle) and run it again",
        )

    def _tags(self) -> Step:
        response = self._read("get_bucket_tagging", "NoSuchTagSet")
        existing = {tag["Key"]: tag["Value"] for tag in response["TagSet"]} if response else {}
        wanted = self._account.bootstrap_tags
        # Existing tags win.
        tags = [{"Key": name, "Value": value} for name, value in {**wanted, **existing}.items()]
        return self._setting_step(
            "bucket tags",
            _format_tags({name: existing[name] for name in wanted if name in existing}) or ABSENT,
            _format_tags({name: existing.get(name, value) for name, value in wanted.items()}),
            "put_bucket_tagging",
            {"Tagging": {"TagSet": tags}},
        )

    def _read(self, operation: str, *missing: str) -> Any:
        return call_or_none(getattr(self._s3, operation), "NoSuchBucket", *missing, **self._bucket)

    def _setting_step(
        self, name: str, current: str, planned: str, operation: str, arguments: Mapping[str, Any]
    ) -> Step:
        """A step for a setting that is either as required or weaker."""
        if current == planned:
            return unchanged(name, planned)
        return Step(name, current, planned, lambda: getattr(self._s3, operation)(**self._bucket, **arguments))


def _without_id(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A lifecycle rule without its name, its filter in the current syntax."""
    rest = {key: value for key, value in rule.items() if key not in {"ID", "Prefix"}}
    return rest | {"Filter": rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}}


def _format_tags(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in tags.items())
