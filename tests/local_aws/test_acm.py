"""ACM: key algorithms, and validation of certificates."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws


@pytest.fixture(scope="module")
def acm(aws: LocalAws) -> Any:
    return aws.client("acm")


def describe(acm: Any, arn: str) -> dict[str, Any]:
    return acm.describe_certificate(CertificateArn=arn)["Certificate"]


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        ({}, "RSA_2048"),
        ({"KeyAlgorithm": "RSA_2048"}, "RSA_2048"),
        ({"KeyAlgorithm": "EC_prime256v1"}, "EC_prime256v1"),
        ({"KeyAlgorithm": "EC_secp384r1"}, "EC_secp384r1"),
    ],
)
def test_a_certificate_has_the_requested_key_algorithm(acm: Any, options: dict[str, str], algorithm: str) -> None:
    tags = [{"Key": "Name", "Value": "shop"}]
    common = {
        "DomainName": "a.example",
        "SubjectAlternativeNames": ["b.example"],
        "ValidationMethod": "DNS",
        "Tags": tags,
    }
    arn = acm.request_certificate(**common, **options)["CertificateArn"]
    certificate = describe(acm, arn)
    assert certificate["KeyAlgorithm"] == algorithm.replace("_", "-")
    assert (certificate["DomainName"], sorted(certificate["SubjectAlternativeNames"])) == (
        "a.example",
        ["a.example", "b.example"],
    )
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == tags


def test_unsupported_key_algorithms_are_refused(acm: Any) -> None:
    with pytest.raises(ClientError, match="RSA_1024 is not supported"):
        acm.request_certificate(DomainName="a.example", KeyAlgorithm="RSA_1024")


def test_requests_are_idempotent_by_token(acm: Any) -> None:
    request = {"DomainName": "token.example", "IdempotencyToken": "once", "Tags": [{"Key": "a", "Value": "b"}]}
    first, second = (acm.request_certificate(**request)["CertificateArn"] for _ in range(2))
    assert first == second


def test_a_certificate_is_issued_after_dns_validation(aws: LocalAws, acm: Any) -> None:
    route53 = aws.client("route53")
    zone = route53.create_hosted_zone(Name="proof.example", CallerReference="proof")["HostedZone"]["Id"]
    arn = acm.request_certificate(DomainName="shop.proof.example", ValidationMethod="DNS")["CertificateArn"]
    pending = describe(acm, arn)
    assert (pending["Status"], pending.get("IssuedAt")) == ("PENDING_VALIDATION", None)
    record = pending["DomainValidationOptions"][0]["ResourceRecord"]

    def publish(value: str) -> None:
        records = {"Name": record["Name"], "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": value}]}
        change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": records}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)

    publish("unrelated.example.")
    assert describe(acm, arn)["Status"] == "PENDING_VALIDATION"
    publish(record["Value"])
    issued = describe(acm, arn)
    assert (issued["Status"], issued["DomainValidationOptions"][0]["ValidationStatus"]) == ("ISSUED", "SUCCESS")
    assert issued["IssuedAt"]
    assert describe(acm, arn)["Status"] == "ISSUED"


def test_email_validation_stays_pending(acm: Any) -> None:
    arn = acm.request_certificate(DomainName="mail.example", ValidationMethod="EMAIL")["CertificateArn"]
    certificate = describe(acm, arn)
    (option,) = certificate["DomainValidationOptions"]
    assert (certificate["Status"], option["ValidationMethod"]) == ("PENDING_VALIDATION", "EMAIL")
    assert option["ValidationEmails"] == ["admin@mail.example"]
    assert "ResourceRecord" not in option
