"""The deployment package of the rotation function, and the architecture that it is built for.

`make setup` builds it for Lambda. The environment variable ROTATION_PACKAGE selects another zip file; rehearsals use
this to run the function on the local machine.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from stacks import ROOT
from stacks.settings import SettingsError

PACKAGE_VARIABLE = "ROTATION_PACKAGE"
DEFAULT_PACKAGE = ROOT / ".cache" / "rotation.zip"
"""The zip file that `make setup` builds from `lambda_rotation/`."""

# File names of compiled modules contain the architecture (PEP 3149): _psycopg.cpython-313-aarch64-linux-gnu.so
COMPILED = re.compile(r"\.cpython-\d+-(aarch64|x86_64)-linux-\w+\.so$")


class Package(NamedTuple):
    """A zip file and its architecture."""

    path: Path
    architecture: str
    """`arm64` or `x86_64`, as in Lambda's API."""


def rotation_package() -> Package:
    """Find the package to deploy.

    Raises:
        SettingsError: the file does not exist, is no zip file, or is not built for exactly one architecture of Lambda.
    """
    selected = os.environ.get(PACKAGE_VARIABLE)
    path = Path(selected) if selected else DEFAULT_PACKAGE
    where = f"{PACKAGE_VARIABLE} = {selected}" if selected else f"{path}"
    if not path.is_file():
        remedy = "set it to the file that python -m lambda_rotation.package wrote" if selected else "run make setup"
        raise SettingsError(f"{where}: no such rotation package; {remedy}")
    try:
        with ZipFile(path) as archive:
            found = {match[1] for name in archive.namelist() if (match := COMPILED.search(name))}
    except (BadZipFile, OSError) as error:
        raise SettingsError(f"{where}: not a rotation package: {error}") from error
    if len(found) != 1:
        architectures = " and ".join(sorted(found)) or "no architecture of Lambda"
        raise SettingsError(
            f"{where}: contains compiled modules for {architectures}; allowed: either aarch64 or x86_64"
        )
    return Package(path.resolve(), "arm64" if found == {"aarch64"} else "x86_64")
