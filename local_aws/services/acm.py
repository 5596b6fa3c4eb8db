"""ACM: the requested key algorithm, and certificates that are issued after DNS validation."""

from collections.abc import Callable
from typing import Any, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import CertificateBuilder, load_pem_x509_certificate
from moto.acm.models import AWSCertificateManagerBackend, CertBundle, acm_backends
from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.responses import ActionResult
from moto.route53.models import route53_backends

from local_aws.extension import ApiError, Extension

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

# Algorithms of certificates that ACM issues; it can import others. https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
KEY_ALGORITHMS: dict[str, Callable[[], PrivateKey]] = {
    "RSA_2048": lambda: rsa.generate_private_key(65537, 2048),
    "EC_prime256v1": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC_secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
}


class Certificate(CertBundle):
    """A certificate that stays pending until DNS validation. Email validation never succeeds."""

    def __init__(self, account_id: str, validation_method: str, **parts: Any) -> None:
        super().__init__(account_id, **parts)
        self._account = account_id
        self.validation_method = validation_method

    def check(self) -> None:
        if self.status != "PENDING_VALIDATION":
            super().check()
        elif self.validation_method == "DNS" and self._is_validated():
            self.status = "ISSUED"

    def describe(self) -> dict[str, Any]:
        description = super().describe()
        # ACM returns hyphens: resourceCertificateRead in the provider's internal/service/acm/certificate.go.
        description["Certificate"]["KeyAlgorithm"] = description["Certificate"]["KeyAlgorithm"].replace("_", "-")
        if self.status == "PENDING_VALIDATION":
            del description["Certificate"]["IssuedAt"]
        for option in description["Certificate"].get("DomainValidationOptions", []):
            option["ValidationMethod"] = self.validation_method
            if self.validation_method == "EMAIL":
                del option["ResourceRecord"]
                option["ValidationEmails"] = [f"admin@{option['DomainName']}"]
        return description

    def _is_validated(self) -> bool:
        zones = route53_backends[self._account]["aws"].zones.values()
        published = {
            (record.name.rstrip("."), value.rstrip("."))
            for zone in zones
            for record in zone.rrsets
            if record.type == "CNAME"
            for value in record.records
        }
        required = [option["ResourceRecord"] for option in self.describe()["Certificate"]["DomainValidationOptions"]]
        return all((record["Name"].rstrip("."), record["Value"].rstrip(".")) in published for record in required)


class Backend(AWSCertificateManagerBackend):
    """Reissues certificates with the requested key algorithm, pending validation."""

    def reissue(self, arn: str, algorithm: str, validation_method: str) -> None:
        """Replace moto's certificate with one that has a key of this algorithm and awaits validation."""
        original = self._certificates[arn]
        draft, key = load_pem_x509_certificate(original.cert), KEY_ALGORITHMS[algorithm]()
        builder = CertificateBuilder(
            draft.issuer,
            draft.subject,
            key.public_key(),
            draft.serial_number,
            draft.not_valid_before_utc,
            draft.not_valid_after_utc,
            list(draft.extensions),
        )
        certificate: Any = Certificate(
            self.account_id,
            validation_method,
            certificate=builder.sign(
                cast(PrivateKey, load_pem_private_key(original.key, None)), hashes.SHA256()
            ).public_bytes(Encoding.PEM),
            private_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            region=self.region_name,
            arn=arn,
            cert_type=original.type,
            cert_status=original.status,
            cert_options=original.cert_options,
        )
        certificate.tags = original.tags
        self._certificates[arn] = certificate


class Responses(AWSCertificateManagerResponse):
    """Adds the key algorithm and the validation method of requests."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, acm_backends[self.current_account][self.region])

    def request_certificate(self) -> ActionResult:
        algorithm = self._get_param("KeyAlgorithm", "RSA_2048")
        if algorithm not in KEY_ALGORITHMS:
            raise ApiError(
                "ValidationException",
                f"KeyAlgorithm {algorithm} is not supported; use one of {', '.join(KEY_ALGORITHMS)}",
            )
        response = super().request_certificate()
        arn = cast(dict[str, str], response.result)["CertificateArn"]
        if not isinstance(self.backend.get_certificate(arn), Certificate):
            self.backend.reissue(arn, algorithm, self._get_param("ValidationMethod", "EMAIL"))
        return response


EXTENSION = Extension(
    "acm",
    Responses,
    Backend,
    gaps={
        "aws_acm_certificate": "ignored the key algorithm and the validation method",
        "aws_acm_certificate_validation": "issued certificates after a minute, without validation",
    },
)
