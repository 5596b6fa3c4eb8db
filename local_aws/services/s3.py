"""S3: default encryption, bucket policies with patterns and conditions, and atomic conditional writes."""

import json
from copy import deepcopy
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.iam.access_control import PermissionResult
from moto.kms.models import kms_backends
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, FakeKey, S3Backend
from moto.s3.responses import S3Response
from moto.s3.utils import LOGGING_SERVICE_PRINCIPAL

from local_aws.extension import Extension
from local_aws.policy_parsing import as_list, service_principals, statements

# Default encryption of every bucket since 2023.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
DEFAULT_ENCRYPTION = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}

LIST_PARAMETERS = {"delimiter", "encoding-type", "marker", "max-keys", "prefix", "x-id", "Action", "BucketName"}
"""Parameters of ListObjects, and those that SDKs and moto add to identify the action."""
BUCKET_OWNER_PAYS = (
    '<RequestPaymentConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
)


class Bucket(FakeBucket):
    """Evaluates wildcards in the bucket policy for server access log delivery."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.encryption = deepcopy(DEFAULT_ENCRYPTION)

    def get_permission(self, action: str, resource: str) -> Any:
        """Policies were evaluated before the request came here: moto ignores their conditions."""
        del action, resource
        return PermissionResult.PERMITTED

    @staticmethod
    def _log_permissions_enabled_policy(target_bucket: FakeBucket, target_prefix: str | None) -> bool:
        arn = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
        policy = json.loads(target_bucket.policy or "{}")
        return any(_allows_log_delivery(statement, arn) for statement in statements(policy))


class Backend(S3Backend):
    """Adds default encryption, and the ARNs of objects' KMS keys."""

    def delete_bucket_encryption(self, bucket_name: str) -> None:
        self.put_bucket_encryption(bucket_name, deepcopy(DEFAULT_ENCRYPTION))

    def put_object(self, bucket_name: str, *args: Any, **settings: Any) -> FakeKey:
        if key := settings.get("kms_key_id"):
            settings["kms_key_id"] = self._key_arn(key, self.get_bucket(bucket_name).region_name)
        return super().put_object(bucket_name, *args, **settings)

    def _key_arn(self, name: str, region: str) -> str:
        """ARN of a key. S3 reports the key of an object even if the request named an alias."""
        kms = kms_backends[self.account_id][region]
        alias: Any = kms.get_alias_name(name)
        key_id = kms.get_key_id_from_alias(alias) if alias.startswith("alias/") else kms.get_key_id(alias)
        if key_id not in kms.keys:
            raise S3ClientError("KMS.NotFoundException", f"Key '{name}' does not exist")
        return kms.keys[key_id].arn


class Responses(S3Response):
    """Serializes writes: only one of several with `If-None-Match: *` succeeds, as Terraform's state locks require."""

    _writing = Lock()

    def put_object(self) -> TYPE_RESPONSE:
        with self._writing:
            return super().put_object()

    def list_objects(self) -> TYPE_RESPONSE:
        """List objects. moto routes every unknown GET of a bucket to this action."""
        if "requestPayment" in self.querystring:
            # Requester Pays is not supported.
            return 200, {}, BUCKET_OWNER_PAYS
        if unknown := self.querystring.keys() - LIST_PARAMETERS:
            raise NotImplementedError(f"GET of a bucket with {', '.join(sorted(unknown))} is not implemented")
        return super().list_objects()


def _allows_log_delivery(statement: dict[str, Any], arn: str) -> bool:
    """Whether a policy statement allows S3 log delivery to write an object."""
    return (
        statement["Effect"] == "Allow"
        and LOGGING_SERVICE_PRINCIPAL in service_principals(statement)
        and any(fnmatchcase("s3:putobject", action.lower()) for action in as_list(statement.get("Action")))
        and any(fnmatchcase(arn, resource) for resource in as_list(statement.get("Resource")))
    )


EXTENSION = Extension(
    "s3",
    Responses,
    Backend,
    models=(Bucket,),
    gaps={
        "aws_s3_bucket_logging": "accepted three spellings of bucket policies only",
        "aws_s3_bucket_server_side_encryption_configuration": "lacked AWS's default encryption",
    },
)
