"""`python -m lambda_rotation.package FILE [--local]`: build the function's zip file, reproducibly.

By default it is for Lambda; with --local, for this machine's Python. `replace_certificates` makes a package trust
another certificate authority instead of RDS.
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
# Files in which pip records details of the installation.
NOT_REPRODUCIBLE = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that zip files support."""


class PackageError(Exception):
    """The package cannot be built."""


def main(arguments: Sequence[str]) -> None:
    """Build the package. If that fails, exit with 1 and leave an existing file unchanged."""
    parser = argparse.ArgumentParser(prog="python -m lambda_rotation.package", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--local", action="store_true", help="build for this machine's Python instead of Lambda")
    options = parser.parse_args(arguments)
    try:
        build(options.file, local=options.local)
    except (PackageError, OSError) as error:
        sys.exit(f"{options.file}: cannot be built: {error}")


def build(file: Path, *, local: bool = False) -> None:
    """Write the zip file.

    Raises:
        OSError: the file cannot be written.
        PackageError: pip could not install requirements.txt.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _install(folder, local=local)
        for path in _source_files():
            target = folder / SOURCE.name / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.part")
        _zip(folder, temporary)
        temporary.replace(file)


def replace_certificates(authority: Path, package: Path, file: Path) -> None:
    """Write a copy of a package that trusts another certificate authority instead of RDS.

    Raises:
        OSError: a file cannot be read or written.
    """
    with ZipFile(package) as archive, ZipFile(file, "w", ZIP_DEFLATED) as copy:
        for entry in archive.infolist():
            is_replaced = entry.filename == CERTIFICATES.relative_to(SOURCE.parent).as_posix()
            copy.writestr(entry, authority.read_bytes() if is_replaced else archive.read(entry))


def _source_files() -> Iterator[Path]:
    for pattern in ("*.py", "certificates/*.pem"):
        yield from (path for path in SOURCE.glob(pattern) if path.name not in NOT_SHIPPED)


def _install(folder: Path, *, local: bool) -> None:
    for_lambda = [
        *(f"--platform={platform}" for platform in PLATFORMS),
        f"--python-version={RUNTIME}",
        "--implementation=cp",
    ]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary=:all:", "--require-hashes", "--no-compile", f"--target={folder}"),
        *(() if local else for_lambda),
        *("--requirement", str(SOURCE / "requirements.txt")),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no external input
    if result.returncode:
        raise PackageError(" ".join(result.stderr.split()) or f"pip exited with {result.returncode}")


def _zip(folder: Path, file: Path) -> None:
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            if path.name in NOT_REPRODUCIBLE:
                continue
            entry = ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.compress_type = ZIP_DEFLATED
            entry.create_system = 3  # Unix, so that the file mode applies: readable by everyone
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    main(sys.argv[1:])
