"""The bundle of certificate authorities is rebuilt from a source with valid authorities, or left unchanged."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from local_aws.certificate_authority import CertificateAuthority
from operations import certificates
from operations.__main__ import app
from operations.certificates import bundle, from_npm

NOW = datetime.now(UTC)


def rebuild(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["certificates", *arguments])


def test_every_valid_authority_is_included_once():
    first, second = CertificateAuthority().pem.decode(), CertificateAuthority().pem.decode()
    written = bundle(f"words\n{first}{second}{first}", NOW)
    assert written.count("BEGIN CERTIFICATE") == 2
    assert written.startswith("# Local AWS, until ")
    assert bundle(f"{second}{first}", NOW) == written


def test_expired_authorities_are_left_out():
    with pytest.raises(ValueError, match="contains no valid certificate"):
        bundle(CertificateAuthority().pem.decode(), NOW + timedelta(days=30))


def test_a_certificate_that_is_not_an_authority_is_refused():
    authority = CertificateAuthority()
    with pytest.raises(ValueError, match=r"'127\.0\.0\.1' is not a certificate authority"):
        bundle(authority.issue("127.0.0.1")[0].decode(), NOW)


def test_an_authority_without_a_common_name_has_its_full_name():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Amazon")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = bundle(certificate.public_bytes(serialization.Encoding.PEM).decode(), NOW)
    assert written.startswith("# O=Amazon, until ")


def test_a_downloaded_bundle_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(certificates, "CERTIFICATES", tmp_path / "rds.pem")
    (tmp_path / "downloaded.pem").write_bytes(CertificateAuthority().pem)
    assert rebuild(str(tmp_path / "downloaded.pem")).exit_code == 0
    assert (tmp_path / "rds.pem").read_text().count("BEGIN CERTIFICATE") == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unreadable_download_leaves_the_bundle_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
):
    trusted, downloaded = tmp_path / "rds.pem", tmp_path / "downloaded.pem"
    trusted.write_text("earlier")
    if content:
        downloaded.write_text(content)
    monkeypatch.setattr(certificates, "CERTIFICATES", trusted)
    result = rebuild(str(downloaded))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{trusted}: not rebuilt: ")
    assert result.stderr.count("\n") == 1
    assert trusted.read_text() == "earlier"


def test_the_authorities_of_clusters_come_from_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, stdout=CertificateAuthority().pem.decode())

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(certificates, "CERTIFICATES", tmp_path / "rds.pem")
    assert rebuild().exit_code == 0
    assert "BEGIN CERTIFICATE" in from_npm()
    assert commands[0][:2] == ["npm", "install"]
    assert "defaults" in commands[1][-1]
    assert "proxies" not in commands[1][-1]
