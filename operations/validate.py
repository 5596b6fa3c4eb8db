"""`python -m operations validate`: runs `terraform validate` on every synthesized stack, with the real AWS provider.

Loading the provider takes far longer than validating a stack, so one run validates all stacks, as modules that share
provider configurations. If that run finds a problem, each stack is validated by itself, so that the problem names its
stack. Valid stacks are cached by content.
"""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from operations.errors import RefusedError, one_line_errors
from operations.plans import PARALLEL_RUNS
from operations.terraform import CACHE, TerraformError, terraform, version
from synthesized.platform import Body, Stack, output_folder, read_stacks


@dataclass(frozen=True)
class ValidationResult:
    """Result of `terraform validate` for a stack."""

    stack: str
    problems: tuple[str, ...]
    cached: bool = False


def validate() -> None:
    """Run `terraform validate` on every synthesized stack, with the real AWS provider.

    Reads the output of `make synth`. Needs no credentials. Stacks that have not changed since they were last valid are
    skipped.

    When: after a change to the stacks or the settings; `make test` includes it.

    Example: `python -m operations validate`

    Exit codes: 0 all stacks are valid; 1 a stack is invalid, or Terraform failed; 2 usage.
    """
    with one_line_errors():
        if not (stacks := read_stacks(output_folder())):
            raise RefusedError(f"{output_folder()}: contains no stack; run make synth")
        results = validate_stacks(stacks)
    for result in results:
        for problem in result.problems:
            typer.echo(f"{result.stack}: {problem}")
    invalid = sum(bool(result.problems) for result in results)
    unchanged = sum(result.cached for result in results)
    typer.echo(
        f"{len(results) - invalid} of {len(results)} stacks are valid ({unchanged} unchanged since the last run)"
    )
    if invalid:
        raise typer.Exit(1)


def validate_stacks(stacks: Sequence[Stack], cache: Path | None = None) -> list[ValidationResult]:
    """Validate stacks.

    Raises:
        TerraformError: Terraform or the provider is not available.
    """
    cache, used = cache or CACHE, version()
    passed = {stack.name: cache / "valid" / _fingerprint(stack, used) for stack in stacks}
    changed = [stack for stack in stacks if not passed[stack.name].exists()]
    found: dict[str, tuple[str, ...]] = {}
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as folder:
        for providers, group in _by_required_providers(changed).items():
            found |= _validate_group(group, Path(folder) / providers)
    for name, problems in found.items():
        if not problems:
            passed[name].parent.mkdir(parents=True, exist_ok=True)
            passed[name].touch()
    return [ValidationResult(stack.name, found.get(stack.name, ()), cached=stack.name not in found) for stack in stacks]


def _by_required_providers(stacks: Sequence[Stack]) -> dict[str, list[Stack]]:
    groups: dict[str, list[Stack]] = {}
    for stack in stacks:
        groups.setdefault(stack.required_providers, []).append(stack)
    return groups


def _validate_group(stacks: Sequence[Stack], folder: Path) -> dict[str, tuple[str, ...]]:
    """Problems by stack, for stacks that require the same providers."""
    together, providers = folder / "together", folder / "providers"
    for stack in stacks:
        _write(stack, stack.document, folder / stack.name)
    if len(stacks) == 1:
        (stack,) = stacks
        _init(folder / stack.name, providers)
        return {stack.name: _problems(folder / stack.name, providers)}

    for stack in stacks:
        _write(stack, _as_module(stack.document), together / stack.name)
        # Paths in a module are relative to the root module's folder.
        _link_assets(stack, together)
    (together / "main.tf.json").write_text(json.dumps(root_module(stacks)), encoding="utf-8")
    _init(together, providers)
    if not _problems(together, providers):
        return {stack.name: () for stack in stacks}

    for lock_file in together.glob(".terraform.lock.hcl"):  # none, where no provider is required
        for stack in stacks:
            shutil.copy(lock_file, folder / stack.name)
    with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
        problems = pool.map(lambda stack: _problems(folder / stack.name, providers), stacks)
        return dict(zip((stack.name for stack in stacks), problems, strict=True))


def root_module(stacks: Sequence[Stack]) -> Body:
    """A module per stack. Provider configurations that differ in their default tags only are shared, and start once."""
    providers: dict[str, dict[str, Body]] = {}
    modules: Body = {}
    for stack in stacks:
        passed: dict[str, str] = {}
        for provider, configurations in _provider_configurations(stack.document).items():
            known = providers.setdefault(provider, {})
            for configuration in configurations:
                settings = {key: value for key, value in configuration.items() if key not in {"alias", "default_tags"}}
                key = json.dumps(settings, sort_keys=True)
                shared = known.setdefault(key, {**configuration, "alias": f"configuration_{len(known)}"})
                passed[_address(provider, configuration)] = f"{provider}.{shared['alias']}"
        modules[stack.name] = {"source": f"./{stack.name}", **({"providers": passed} if passed else {})}
    return {
        "terraform": {"required_providers": stacks[0].document["terraform"]["required_providers"]},
        "module": modules,
        **({"provider": {name: list(known.values()) for name, known in providers.items()}} if providers else {}),
    }


def _as_module(document: Body) -> Body:
    """A stack without its provider configurations, which the root module passes to it."""
    required: Body = deepcopy(document["terraform"]["required_providers"])
    for provider, configurations in _provider_configurations(document).items():
        aliases = [_address(provider, configuration) for configuration in configurations if "alias" in configuration]
        required[provider]["configuration_aliases"] = aliases
    module = {key: value for key, value in document.items() if key != "provider"}
    return {**module, "terraform": {**document["terraform"], "required_providers": required}}


def _provider_configurations(document: Body) -> dict[str, list[Body]]:
    return document.get("provider", {})


def _address(provider: str, configuration: Body) -> str:
    return f"{provider}.{configuration['alias']}" if "alias" in configuration else provider


def _fingerprint(stack: Stack, terraform_version: str) -> str:
    """Hash of everything that determines the result. The document includes the provider's exact version."""
    return sha256(json.dumps([stack.document, terraform_version], sort_keys=True).encode()).hexdigest()


def _write(stack: Stack, document: Body, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "cdk.tf.json").write_text(json.dumps(document), encoding="utf-8")
    _link_assets(stack, folder)


def _link_assets(stack: Stack, folder: Path) -> None:
    """Assets lie at `assets/<construct>/<hash>`."""
    for asset in stack.folder.glob("assets/*/*"):
        link = folder / asset.relative_to(stack.folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(asset.resolve())


def _init(folder: Path, providers: Path) -> None:
    _terraform(folder, providers, "init", "-backend=false", "-input=false", "-no-color")


def _terraform(folder: Path, providers: Path, *arguments: str) -> str:
    return terraform(*arguments, cwd=folder, variables={"TF_DATA_DIR": str(providers)})


def _problems(folder: Path, providers: Path) -> tuple[str, ...]:
    try:
        output = _terraform(folder, providers, "validate", "-json")
    except TerraformError as error:
        output = str(error).partition(": ")[2]
    try:
        diagnostics = json.loads(output)["diagnostics"]
    except (ValueError, KeyError):  # Terraform itself failed and printed plain text
        return (" ".join(output.split()),)
    return tuple(
        " ".join(f"{diagnostic['summary']}: {diagnostic.get('detail', '')} {_location(diagnostic)}".split())
        for diagnostic in diagnostics
        if diagnostic["severity"] == "error"
    )


def _location(diagnostic: dict[str, dict[str, str]]) -> str:
    context = diagnostic.get("snippet", {}).get("context")
    return f"(in {context})" if context else ""
