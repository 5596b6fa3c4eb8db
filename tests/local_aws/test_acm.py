"""What the local AWS adds to ACM."""

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
    ("asked", "told"),
    [
        ({}, "RSA_2048"),
        ({"KeyAlgorithm": "RSA_2048"}, "RSA_2048"),
        ({"KeyAlgorithm": "EC_prime256v1"}, "EC_prime256v1"),
        ({"KeyAlgorithm": "EC_secp384r1"}, "EC_secp384r1"),
    ],
)
def test_a_certificate_has_the_key_that_was_asked_for(acm: Any, asked: dict[str, str], told: str) -> None:
    tags = [{"Key": "Name", "Value": "shop"}]
    request = {
        "DomainName": "a.example",
        "SubjectAlternativeNames": ["b.example"],
        "ValidationMethod": "DNS",
        "Tags": tags,
    }
    arn = acm.request_certificate(**request, **asked)["CertificateArn"]
    certificate = describe(acm, arn)
    assert certificate["KeyAlgorithm"] == told
    assert (certificate["DomainName"], sorted(certificate["SubjectAlternativeNames"])) == (
        "a.example",
        ["a.example", "b.example"],
    )
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == tags


def test_what_acm_does_not_issue_is_refused(acm: Any) -> None:
    with pytest.raises(ClientError, match="RSA_1024 is not supported"):
        acm.request_certificate(DomainName="a.example", KeyAlgorithm="RSA_1024")


def test_a_request_with_the_same_token_is_the_same_certificate(acm: Any) -> None:
    request = {"DomainName": "token.example", "IdempotencyToken": "once", "Tags": [{"Key": "a", "Value": "b"}]}
    first, second = (acm.request_certificate(**request)["CertificateArn"] for _ in range(2))
    assert first == second


def test_a_certificate_is_issued_once_dns_proves_the_domain(aws: LocalAws, acm: Any) -> None:
    route53 = aws.client("route53")
    zone = route53.create_hosted_zone(Name="proof.example", CallerReference="proof")["HostedZone"]["Id"]
    arn = acm.request_certificate(DomainName="shop.proof.example", ValidationMethod="DNS")["CertificateArn"]
    waiting = describe(acm, arn)
    assert (waiting["Status"], waiting.get("IssuedAt")) == ("PENDING_VALIDATION", None)
    record = waiting["DomainValidationOptions"][0]["ResourceRecord"]

    def publish(value: str) -> None:
        records = {"Name": record["Name"], "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": value}]}
        change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": records}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)

    publish("somebody.else.")
    assert describe(acm, arn)["Status"] == "PENDING_VALIDATION"
    publish(record["Value"])
    issued = describe(acm, arn)
    assert (issued["Status"], issued["DomainValidationOptions"][0]["ValidationStatus"]) == ("ISSUED", "SUCCESS")
    assert issued["IssuedAt"]
    assert describe(acm, arn)["Status"] == "ISSUED"


def test_a_certificate_that_waits_for_a_mail_waits_on(acm: Any) -> None:
    arn = acm.request_certificate(DomainName="mail.example", ValidationMethod="EMAIL")["CertificateArn"]
    certificate = describe(acm, arn)
    (option,) = certificate["DomainValidationOptions"]
    assert (certificate["Status"], option["ValidationMethod"]) == ("PENDING_VALIDATION", "EMAIL")
    assert option["ValidationEmails"] == ["admin@mail.example"]
    assert "ResourceRecord" not in option
