"""`python -m lambda_rotation.package FILE [--local]`: the function's zip, the same bytes wherever it is built.

For Lambda, or with --local for this machine's Python, so that the same package can be run here; `trusting` gives such a
one the authority of another database than RDS's.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from lambda_rotation.configuration import CERTIFICATES

SOURCE = Path(__file__).parent
RUNTIME = "3.13"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")
"""Lambda's Amazon Linux 2023 on Graviton."""

NOT_SHIPPED = {"package.py", "requirements.txt"}
# What pip notes of an installation, which differs from one to the next, and bytecode, which holds times.
NOT_REPRODUCIBLE = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can say."""


class PackageError(Exception):
    """The package cannot be built."""


def main(arguments: Sequence[str]) -> None:
    """Build it. Exits with 1, and leaves an earlier file as it was, where that fails."""
    parser = argparse.ArgumentParser(prog="python -m lambda_rotation.package", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--local", action="store_true", help="for this machine's Python instead of Lambda's")
    asked = parser.parse_args(arguments)
    try:
        build(asked.file, local=asked.local)
    except (PackageError, OSError) as error:
        sys.exit(f"{asked.file}: cannot be built: {error}")


def build(file: Path, *, local: bool = False) -> None:
    """Write the zip.

    Raises:
        OSError: the file cannot be written.
        PackageError: pip could not get what requirements.txt names.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _install(folder, local=local)
        for path in _source_files():
            target = folder / SOURCE.name / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_name(f"{file.name}.part")
        _zip(folder, written)
        written.replace(file)


def replace_certificates(authority: Path, package: Path, file: Path) -> None:
    """Write a copy of a package that trusts an authority's certificates in the place of RDS's.

    Raises:
        OSError: one of the files cannot be read, or the copy cannot be written.
    """
    with ZipFile(package) as archive, ZipFile(file, "w", ZIP_DEFLATED) as copy:
        for entry in archive.infolist():
            trusts = entry.filename == CERTIFICATES.relative_to(SOURCE.parent).as_posix()
            copy.writestr(entry, authority.read_bytes() if trusts else archive.read(entry))


def _source_files() -> Iterator[Path]:
    for pattern in ("*.py", "certificates/*.pem"):
        yield from (path for path in SOURCE.glob(pattern) if path.name not in NOT_SHIPPED)


def _install(folder: Path, *, local: bool) -> None:
    lambdas = [
        *(f"--platform={platform}" for platform in PLATFORMS),
        f"--python-version={RUNTIME}",
        "--implementation=cp",
    ]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary=:all:", "--require-hashes", "--no-compile", f"--target={folder}"),
        *(() if local else lambdas),
        *("--requirement", str(SOURCE / "requirements.txt")),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - all of it is ours
    if ended.returncode:
        raise PackageError(" ".join(ended.stderr.split()) or f"pip ended with {ended.returncode}")


def _zip(folder: Path, file: Path) -> None:
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            if path.name in NOT_REPRODUCIBLE:
                continue
            entry = ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.compress_type = ZIP_DEFLATED
            entry.create_system = 3  # Unix, whose modes follow: everybody may read
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    main(sys.argv[1:])
