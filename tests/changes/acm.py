"""Out-of-band changes to ACM resources, one per argument."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from local_aws.server import LocalAws
from tests.changes import Change


def _certificate(**changed: Any) -> Change:
    return lambda aws, state: vars(aws.backend("acm").get_certificate(state["arn"])).update(changed)


def _another_key(aws: LocalAws, state: dict[str, Any]) -> None:
    _certificate(_key=ec.generate_private_key(ec.SECP384R1()))(aws, state)


def _tag(aws: LocalAws, state: dict[str, Any]) -> None:
    tags = [{"Key": "Changed", "Value": "behind"}]
    aws.client("acm").add_tags_to_certificate(CertificateArn=state["arn"], Tags=tags)


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_acm_certificate", "key_algorithm"): _another_key,
    ("aws_acm_certificate", "domain_name"): _certificate(common_name="other.example"),
    ("aws_acm_certificate", "tags"): _tag,
    ("aws_acm_certificate", "validation_method"): _certificate(validation_method="EMAIL"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_acm_certificate_validation", "certificate_arn"): "identifier: it waits for that certificate",
    ("aws_acm_certificate_validation", "validation_record_fqdns"): "compared with the certificate at creation only",
}
