"""`python -m operations validate`: `terraform validate` over every synthesized stack, with the real AWS provider.

Stacks are validated in copies, side by side, from one initialization. What has passed is remembered by its content, so
that only what has changed is validated again.
"""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from operations.errors import RefusedError, one_line_errors
from operations.plans import PARALLEL_RUNS
from operations.terraform import CACHE, TerraformError, terraform, version
from synthesized.platform import Stack, output_folder, read_stacks


@dataclass(frozen=True)
class ValidationResult:
    """What Terraform says of one stack."""

    stack: str
    problems: tuple[str, ...]
    cached: bool = False


@dataclass(frozen=True)
class StackCopy:
    """A stack where Terraform may write beside it."""

    folder: Path
    providers: Path
    """Where the providers that it requires are installed, for it and all that require the same."""

    def terraform(self, *arguments: str) -> str:
        """Run Terraform on it."""
        return terraform(*arguments, cwd=self.folder, variables={"TF_DATA_DIR": str(self.providers)})


def validate() -> None:
    """Run `terraform validate` over every stack that `make synth` wrote, with the real AWS provider.

    Needs no credentials. Stacks that passed before and have not changed since are not validated again.

    When: after a change of the stacks or the settings, as a part of `make test`.

    Example: `python -m operations validate`

    Exit codes: 0 all stacks are valid; 1 a stack is not valid, or Terraform failed; 2 usage.
    """
    with one_line_errors():
        if not (stacks := read_stacks(output_folder())):
            raise RefusedError(f"{output_folder()}: holds no stack; run make synth")
        verdicts = validate_stacks(stacks)
    for verdict in verdicts:
        for problem in verdict.problems:
            typer.echo(f"{verdict.stack}: {problem}")
    invalid = sum(bool(verdict.problems) for verdict in verdicts)
    unchanged = sum(verdict.cached for verdict in verdicts)
    typer.echo(
        f"{len(verdicts) - invalid} of {len(verdicts)} stacks are valid ({unchanged} unchanged since the last time)"
    )
    if invalid:
        raise typer.Exit(1)


def validate_stacks(stacks: Sequence[Stack], cache: Path | None = None) -> list[ValidationResult]:
    """Validate stacks.

    Raises:
        TerraformError: Terraform or the provider cannot be had.
    """
    cache, used = cache or CACHE, version()
    passed = {stack.name: cache / "valid" / _fingerprint(stack, used) for stack in stacks}
    changed = [stack for stack in stacks if not passed[stack.name].exists()]
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as folder:
        copies = [_copy(stack, Path(folder), cache) for stack in changed]
        _initialize(copies)
        with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
            found = dict(zip((stack.name for stack in changed), pool.map(_problems, copies), strict=True))
    for name, problems in found.items():
        if not problems:
            passed[name].parent.mkdir(parents=True, exist_ok=True)
            passed[name].touch()
    return [ValidationResult(stack.name, found.get(stack.name, ()), cached=stack.name not in found) for stack in stacks]


def _fingerprint(stack: Stack, terraform_version: str) -> str:
    """Of all that a verdict depends on; the document names the provider's exact version."""
    return sha256(json.dumps([stack.document, terraform_version], sort_keys=True).encode()).hexdigest()


def _copy(stack: Stack, folder: Path, cache: Path) -> StackCopy:
    copy = folder / stack.name
    copy.mkdir()
    (copy / "cdk.tf.json").write_text(json.dumps(stack.document), encoding="utf-8")
    if (assets := stack.folder / "assets").is_dir():
        (copy / "assets").symlink_to(assets.resolve())
    return StackCopy(copy, cache / "providers" / stack.required_providers)


def _initialize(copies: Sequence[StackCopy]) -> None:
    """Install the providers, once for all stacks that require the same."""
    first_of: dict[Path, StackCopy] = {}
    for copy in copies:
        first = first_of.setdefault(copy.providers, copy)
        if copy is first:
            copy.terraform("init", "-backend=false", "-input=false", "-no-color")
        else:
            shutil.copy(first.folder / ".terraform.lock.hcl", copy.folder)


def _problems(copy: StackCopy) -> tuple[str, ...]:
    try:
        answer = copy.terraform("validate", "-json")
    except TerraformError as error:
        answer = str(error).partition(": ")[2]
    try:
        diagnostics = json.loads(answer)["diagnostics"]
    except (ValueError, KeyError):  # Terraform itself failed, and says so in words
        return (" ".join(answer.split()),)
    return tuple(
        " ".join(f"{diagnostic['summary']}: {diagnostic.get('detail', '')} {_location(diagnostic)}".split())
        for diagnostic in diagnostics
        if diagnostic["severity"] == "error"
    )


def _location(diagnostic: dict[str, dict[str, str]]) -> str:
    context = diagnostic.get("snippet", {}).get("context")
    return f"(in {context})" if context else ""
