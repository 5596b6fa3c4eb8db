"""The rotation function's zip: which one is deployed, and the processor that its compiled part is for.

`make setup` builds the one for Lambda. Another is named by the environment variable ROTATION_PACKAGE, as a rehearsal
does, which runs the function on the machine that it is on.
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
"""What `make setup` builds of `lambda_rotation/`."""

# A compiled module's name says its processor: _psycopg.cpython-313-aarch64-linux-gnu.so (PEP 3149).
COMPILED = re.compile(r"\.cpython-\d+-(aarch64|x86_64)-linux-\w+\.so$")


class Package(NamedTuple):
    """A zip."""

    path: Path
    architecture: str
    """In Lambda's words."""


def rotation_package() -> Package:
    """Find the zip that is to be deployed.

    Raises:
        SettingsError: there is none, or it holds nothing that one of Lambda's processors could run.
    """
    named = os.environ.get(PACKAGE_VARIABLE)
    path = Path(named) if named else DEFAULT_PACKAGE
    where = f"{PACKAGE_VARIABLE} = {named}" if named else f"{path}"
    if not path.is_file():
        remedy = "name the file that python -m lambda_rotation.package wrote" if named else "run make setup"
        raise SettingsError(f"{where}: there is no package of the rotation; {remedy}")
    try:
        with ZipFile(path) as archive:
            found = {match[1] for name in archive.namelist() if (match := COMPILED.search(name))}
    except (BadZipFile, OSError) as error:
        raise SettingsError(f"{where}: no package of the rotation: {error}") from error
    if len(found) != 1:
        processors = " and ".join(sorted(found)) or "none of Lambda's processors"
        raise SettingsError(f"{where}: holds compiled modules for {processors}; allowed: for aarch64 or x86_64 alone")
    return Package(path.resolve(), "arm64" if found == {"aarch64"} else "x86_64")
