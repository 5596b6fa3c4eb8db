"""Running Terraform: version, provider mirror, plugin cache, CLI configuration."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from operations import terraform as module
from operations.terraform import TerraformError, environment, find_mirror, terraform, version


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with empty home and data folders."""
    for name in ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TERRAFORM_PLUGIN_MIRROR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    monkeypatch.setattr(module, "PACKAGE_FOLDERS", tmp_path / "opt")
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    return monkeypatch


def fill(folder: Path) -> Path:
    (folder / "registry.terraform.io" / "hashicorp" / "aws").mkdir(parents=True)
    return folder


def configuration() -> str:
    return Path(environment()["TF_CLI_CONFIG_FILE"]).read_text()


def test_without_a_mirror_providers_are_downloaded(bare: pytest.MonkeyPatch):
    assert bare
    assert find_mirror() is None
    assert configuration() == "provider_installation {\n  direct {}\n}\n"


@pytest.mark.parametrize(
    "folder",
    ["home/.terraform.d/plugins", "home/.local/share/terraform/plugins", "share/terraform/plugins", "opt/providers"],
)
@pytest.mark.usefixtures("bare")
def test_a_mirror_in_the_default_folders_replaces_the_registry(tmp_path: Path, folder: str):
    mirror = fill(tmp_path / folder)
    assert find_mirror() == mirror
    assert f'path = "{mirror}"' in configuration()
    assert 'exclude = ["registry.terraform.io/hashicorp/aws"]' in configuration()


def test_a_mirror_can_be_selected(bare: pytest.MonkeyPatch, tmp_path: Path):
    bare.setenv("TERRAFORM_PLUGIN_MIRROR", str(fill(tmp_path / "mine")))
    assert find_mirror() == tmp_path / "mine"


def test_an_invalid_mirror_is_an_error(bare: pytest.MonkeyPatch, tmp_path: Path):
    bare.setenv("TERRAFORM_PLUGIN_MIRROR", str(tmp_path))
    with pytest.raises(TerraformError, match=r"TERRAFORM_PLUGIN_MIRROR = .*: allowed: a folder that contains registry"):
        find_mirror()


def test_a_cli_configuration_of_the_user_takes_precedence(bare: pytest.MonkeyPatch, tmp_path: Path):
    own = tmp_path / "own.tfrc"
    own.write_text("")
    bare.setenv("TF_CLI_CONFIG_FILE", str(own))
    assert environment()["TF_CLI_CONFIG_FILE"] == str(own)


@pytest.mark.usefixtures("bare")
def test_a_cli_configuration_in_the_home_folder_takes_precedence(tmp_path: Path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".terraformrc").write_text("")
    assert "TF_CLI_CONFIG_FILE" not in environment()


def test_a_provider_is_installed_once_for_all_stacks(bare: pytest.MonkeyPatch, tmp_path: Path):
    mirror = fill(tmp_path / "mirror")
    bare.setenv("TERRAFORM_PLUGIN_MIRROR", str(mirror))
    platform = json.loads(terraform("version", "-json", cwd=tmp_path))["platform"]
    packed = mirror / "registry.terraform.io" / "hashicorp" / "aws" / f"terraform-provider-aws_1.0.0_{platform}.zip"
    with ZipFile(packed, "w") as file:
        file.writestr("terraform-provider-aws_v1.0.0", "")
    outputs: list[str] = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "stack.tf.json").write_text('{"terraform": {"required_providers": {"aws": {"version": "1.0.0"}}}}')
        outputs.append(terraform("init", "-no-color", cwd=folder))
    assert "Installed hashicorp/aws v1.0.0" in outputs[0]
    assert "Using hashicorp/aws v1.0.0 from the shared cache directory" in outputs[1]


def test_a_plugin_cache_of_the_user_takes_precedence(bare: pytest.MonkeyPatch, tmp_path: Path):
    bare.setenv("TF_PLUGIN_CACHE_DIR", str(tmp_path / "own"))
    assert environment()["TF_PLUGIN_CACHE_DIR"] == str(tmp_path / "own")
    assert (tmp_path / "own").is_dir()


def test_errors_from_terraform_are_reported(tmp_path: Path):
    (tmp_path / "main.tf.json").write_text("{")
    with pytest.raises(TerraformError, match="terraform validate: "):
        terraform("validate", cwd=tmp_path)


def test_missing_terraform_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TerraformError, match=r"terraform is not on the PATH; install 1\.11 or later"):
        version()


def test_the_version_is_returned():
    assert version().startswith("1.")


@pytest.mark.parametrize("printed", ["Terraform v1.10.5", "something else"])
def test_old_terraform_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: str):
    fake = tmp_path / "terraform"
    fake.write_text(f"#!/bin/sh\necho '{printed}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(TerraformError, match=r"terraform is (1\.10\.5|of an unknown version); install 1\.11 or later"):
        version()
