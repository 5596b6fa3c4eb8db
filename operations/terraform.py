"""Runs Terraform with the AWS provider from a local mirror or from the registry."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from stacks import ROOT

CACHE = ROOT / ".cache" / "terraform"
PACKAGE_FOLDERS = Path("/opt")
REGISTRY = "registry.terraform.io"
MIN_VERSION = (1, 11)
"""S3-native state locking requires 1.11."""


class TerraformError(Exception):
    """Terraform is missing, too old, or failed."""


def terraform(*arguments: str, cwd: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run Terraform in a folder.

    Returns:
        Its standard output.

    Raises:
        TerraformError: Terraform failed. The message contains its output.
    """
    run = subprocess.run(  # noqa: S603 - the project's own arguments, and no shell
        [executable(), *arguments],
        cwd=cwd,
        env={**environment(), **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise TerraformError(f"terraform {arguments[0]}: {(run.stderr or run.stdout).strip()}")
    return run.stdout


def executable() -> str:
    """Path of the Terraform executable.

    Raises:
        TerraformError: it is not on the PATH.
    """
    path = shutil.which("terraform")
    if path is None:
        raise TerraformError("terraform is not on the PATH; install 1.11 or later")
    return path


def version() -> str:
    """Terraform's version.

    Raises:
        TerraformError: it is too old.
    """
    found = re.search(r"Terraform v((\d+)\.(\d+)\S*)", terraform("version", cwd=ROOT))
    if found is None or (int(found[2]), int(found[3])) < MIN_VERSION:
        raise TerraformError(f"terraform is {found[1] if found else 'of an unknown version'}; install 1.11 or later")
    return found[1]


def environment() -> dict[str, str]:
    """Environment variables for Terraform: this process's, with a CLI configuration that names a mirror.

    All stacks share one copy of each provider. The user's own CLI configuration file or plugin cache takes precedence.
    """
    plugins = os.environ.get("TF_PLUGIN_CACHE_DIR") or str(CACHE / "plugins")
    Path(plugins).mkdir(parents=True, exist_ok=True)
    variables = {
        **os.environ,
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_PLUGIN_CACHE_DIR": plugins,
        # Otherwise a stack without a lock file reinstalls the provider over the copy that other runs use.
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
    }
    if not _user_configuration().is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        configuration = CACHE / "terraform.tfrc"
        wanted = _configuration(find_mirror())
        # Not rewritten needlessly: another run may be reading it.
        if not configuration.is_file() or configuration.read_text(encoding="utf-8") != wanted:
            configuration.write_text(wanted, encoding="utf-8")
        variables["TF_CLI_CONFIG_FILE"] = str(configuration)
    return variables


def find_mirror() -> Path | None:
    """The first folder with providers: TERRAFORM_PLUGIN_MIRROR, or one of the usual data folders."""
    if chosen := os.environ.get("TERRAFORM_PLUGIN_MIRROR"):
        if not (Path(chosen) / REGISTRY).is_dir():
            raise TerraformError(f"TERRAFORM_PLUGIN_MIRROR = {chosen}: allowed: a folder that contains {REGISTRY}/")
        return Path(chosen)
    # Terraform's implied mirrors, then manually installed packages.
    # https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
    data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    folders = [
        Path.home() / ".terraform.d" / "plugins",
        *(Path(folder) / "terraform" / "plugins" for folder in [home, *data.split(":")]),
        *sorted(PACKAGE_FOLDERS.glob("*")),
    ]
    return next((folder for folder in folders if (folder / REGISTRY).is_dir()), None)


def _user_configuration() -> Path:
    return Path(os.environ.get("TF_CLI_CONFIG_FILE") or Path.home() / ".terraformrc")


def _configuration(mirror: Path | None) -> str:
    if mirror is None:
        return "provider_installation {\n  direct {}\n}\n"
    # As with implied mirrors, providers in the mirror are never looked up in the registry.
    mirrored = sorted(folder.relative_to(mirror).as_posix() for folder in mirror.glob(f"{REGISTRY}/*/*"))
    return (
        "provider_installation {\n"
        f"  filesystem_mirror {{\n    path = {json.dumps(str(mirror))}\n  }}\n"
        f"  direct {{\n    exclude = {json.dumps(mirrored)}\n  }}\n"
        "}\n"
    )
