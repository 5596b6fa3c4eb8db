"""`python -m lambda_rotation.package FILE [--local [--authority PEM]]`: the function's zip, the same bytes anywhere.

For Lambda, or with --local for this machine's Python, so that the same package can be run here; then it can trust
another database's authority in the place of RDS's.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

SOURCE = Path(__file__).parent
AUTHORITIES = SOURCE / "certificates" / "rds.pem"
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
    parser.add_argument("--authority", type=Path, metavar="PEM", help="certificates to trust in the place of RDS's")
    asked = parser.parse_args(arguments)
    if asked.authority and not asked.local:
        parser.error("--authority is for --local alone: in Lambda the function trusts RDS, and nothing else")
    try:
        build(asked.file, local=asked.local, authority=asked.authority)
    except (PackageError, OSError) as error:
        sys.exit(f"{asked.file}: cannot be built: {error}")


def build(file: Path, *, local: bool = False, authority: Path | None = None) -> None:
    """Write the zip.

    Args:
        authority: certificates to trust in the place of RDS's.

    Raises:
        OSError: the authority cannot be read, or the file cannot be written.
        PackageError: pip could not get what requirements.txt names.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _install(folder, local=local)
        for path in _own():
            target = folder / SOURCE.name / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(authority if authority and path == AUTHORITIES else path, target)
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_name(f"{file.name}.part")
        _zip(folder, written)
        written.replace(file)


def _own() -> Iterator[Path]:
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
