"""`python -m operations orphans ENV`: lists resources that are in no state, with commands to import or delete them.

Terraform persists a state every 20 seconds. If it is killed in between, resources can exist that no plan ever shows.
They are found by the environment's tags. Resources without tags, such as routes and aliases, are found through the
resource that they belong to.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from operations.account import Account, EnvironmentName, connect
from operations.errors import call_or_none, one_line_errors
from operations.inventory import describe_matches, tagged_resources
from operations.lock import refuse_locked
from operations.states import TerraformState, read_state
from operations.terminal import console
from synthesized.catalogue.arns import region_of
from synthesized.catalogue.matches import Match, is_ignored, matches_of
from synthesized.catalogue.table import LOOKUPS
from synthesized.platform import Body, Platform, Resource

IMPORT_FILE = "orphans.tf.json"
"""File for import blocks: https://developer.hashicorp.com/terraform/language/import"""


@dataclass(frozen=True)
class Orphan:
    """A resource of a tier that is in no state."""

    identifier: str
    """Its ARN, or its address if it has no ARN."""
    tier: str
    address: str | None
    """Its address in the stack. None if several match, or none."""
    id: str
    """The ID for `terraform import`."""
    deletion: str = ""
    """The command that deletes it."""

    @property
    def command(self) -> str:
        """The command that imports it, or deletes it if its address is unknown."""
        return f"terraform import '{self.address}' '{self.id}'" if self.address else self.deletion


def orphans(
    environment: EnvironmentName,
    *,
    write: Annotated[bool, typer.Option("--write", help="Write import blocks to the folder of each stack.")] = False,
) -> None:
    """List resources that are in no state, with the commands that import or delete them.

    First release the lock (`lock`), and remove deleted resources from the state (`terraform apply -refresh-only` in the
    stack's folder in cdktf.out/stacks). Then run this command, and the commands that it prints: each import in the
    folder of its stack. For many imports, use `--write`, run `terraform apply` once in each folder, and delete the
    file. Then deploy again. The command itself changes nothing in AWS.

    When: an apply was killed.

    Example: `python -m operations orphans prod`

    Exit codes: 0 every resource is in a state; 1 some are not, or refused or failed; 2 usage.
    """
    with one_line_errors():
        account = connect(environment)
        platform = Platform.synthesized(environment)
        refuse_locked(account)
        lost = find_orphans(account, platform)
        for orphan in lost:
            console().print(f"{orphan.tier}: {orphan.identifier}\n    {orphan.command}", soft_wrap=True, markup=False)
        console().print(f"{len(lost)} resources of {environment} are in no state")
        if write:
            for file in write_blocks(lost, platform):
                console().print(f"written: {file}", soft_wrap=True, markup=False)
    if lost:
        raise typer.Exit(1)


def write_blocks(lost: Iterable[Orphan], platform: Platform) -> list[Path]:
    """Write import blocks for orphans with a known address, one file per stack; return the files."""
    files: list[Path] = []
    for tier, stack in platform.stacks.items():
        blocks = [{"to": orphan.address, "id": orphan.id} for orphan in lost if orphan.tier == tier and orphan.address]
        if blocks:
            files.append(file := stack.folder / IMPORT_FILE)
            file.write_text(json.dumps({"import": blocks}, indent=2), encoding="utf-8")
    return files


def find_orphans(account: Account, platform: Platform) -> list[Orphan]:
    """Find resources with the environment's tags, and resources that belong to these, which are in no state.

    Raises:
        RefusedError: a state cannot be read.
        ClientError: AWS refused a request.
    """
    known = {tier: read_state(account, stack.backend) for tier, stack in platform.stacks.items()}
    lost = _clear_ambiguous_addresses(
        [orphan for tier in platform.stacks for orphan in _tagged_orphans(account, platform, tier, known[tier])]
    )
    for orphan in lost:
        if orphan.address:
            known[orphan.tier][orphan.address] = {"id": orphan.id, "arn": orphan.identifier}
    return lost + [orphan for tier in platform.stacks for orphan in _untagged_orphans(account, platform, known, tier)]


def _clear_ambiguous_addresses(lost: list[Orphan]) -> list[Orphan]:
    """Clear the address of orphans that would be imported as the same resource."""
    claims = Counter((orphan.tier, orphan.address) for orphan in lost)
    return [replace(orphan, address=None) if claims[orphan.tier, orphan.address] > 1 else orphan for orphan in lost]


def _tagged_orphans(account: Account, platform: Platform, tier: str, known: TerraformState) -> Iterator[Orphan]:
    # The ID of some types is their ARN.
    names = ((attributes.get("arn"), attributes.get("id")) for attributes in known.values())
    arns = {str(name).removesuffix(":*") for pair in names for name in pair}
    ids = {(address.partition(".")[0], attributes.get("id")) for address, attributes in known.items()}
    missing = [
        resource for resource in platform.resources if resource.tier == tier and resource.address_in_stack not in known
    ]
    for mapping in tagged_resources(account.client, account.names, tier):
        arn: str = mapping["ResourceARN"]
        if arn.removesuffix(":*") in arns or any((match.type, match.groups[0]) in ids for match in matches_of(arn)):
            continue
        if is_ignored(arn) or (matches := describe_matches(account, arn)) is None:
            continue
        name = {tag["Value"] for tag in mapping["Tags"] if tag["Key"] == "Name"}
        orphan = _orphan(arn, tier, {match: texts | name for match, texts in matches.items()}, missing)
        if orphan:
            in_other_region = (region := region_of(arn)) not in {None, account.names.region}
            yield replace(orphan, deletion=f"{orphan.deletion} --region {region}") if in_other_region else orphan


def _orphan(arn: str, tier: str, matches: Mapping[Match, set[str]], missing: list[Resource]) -> Orphan | None:
    """An ARN as an orphan: the only missing resource of its type, or the one with its name. None if apply adopts it."""
    of_type = [(match, each) for match in matches for each in missing if each.type == match.type]
    named = [(match, each) for match, each in of_type if {*match.groups, *matches[match]} & _names(each.body)]
    if any(not match.deletion_command for match, _ in named):
        return None
    candidates = named or [(match, each) for match, each in of_type if match.deletion_command]
    match = next((match for match, _ in candidates), next((match for match in matches if match.deletion_command), None))
    if match is None:
        unknown = f"aws cloudcontrol delete-resource --type-name <type> --identifier '{arn}'"
        return Orphan(arn, tier, None, arn, unknown)
    address = candidates[0][1].address_in_stack if len(candidates) == 1 else None
    return Orphan(arn, tier, address, match.import_id, match.deletion_command)


def _names(body: Body) -> set[str]:
    """Texts that identify a resource: its arguments and its tag `Name`."""
    arguments = {str(value) for value in body.values() if isinstance(value, str | int)}
    return (arguments | {body.get("tags", {}).get("Name", "")}) - {""}


def _untagged_orphans(
    account: Account, platform: Platform, known: Mapping[str, TerraformState], tier: str
) -> Iterator[Orphan]:
    attributes = {
        resource.address: known[resource.tier][resource.address_in_stack]
        for resource in platform.resources
        if resource.address_in_stack in known[resource.tier]
    }
    for resource in platform.of_type(*LOOKUPS):
        if resource.tier != tier or resource.address_in_stack in known[tier]:
            continue
        lookup = LOOKUPS[resource.type]
        arguments = list(filter(None, (_resolve(resource.body[name], attributes) for name in lookup.arguments)))
        # Without the resource that it belongs to, it cannot exist.
        if len(arguments) < len(lookup.arguments):
            continue
        if id := call_or_none(partial(lookup.find, account, *arguments), *lookup.not_found_codes):
            yield Orphan(resource.address_in_stack, tier, resource.address_in_stack, id)


def _resolve(value: str, attributes: Mapping[str, Body]) -> str | None:
    """Resolve a reference with the state's attributes. None if it is unknown; other values are unchanged."""
    if "${" not in value:
        return value
    reference = re.fullmatch(r"\$\{(\w+\.[\w-]+)\.(\w+)\}", value)
    if reference is None or reference[1] not in attributes:
        return None
    known = attributes[reference[1]]
    return known.get(reference[2], known["id"])
