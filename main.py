"""Synthesize the AWS platform: Terraform JSON in `cdktf.out/` for every file in `environments/`.

ENV selects one environment; CDKTF_OUTDIR, another output folder.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stacks import ROOT  # before cdktf: sets up the bindings before jsii starts its Node process
from stacks.access.stack import AccessStack
from stacks.audit.stack import AuditStack
from stacks.cache.stack import CacheStack
from stacks.database.stack import DatabaseStack
from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack
from stacks.observability.stack import ObservabilityStack
from stacks.own_tier import OwnTier, Tiers, permissions_of
from stacks.own_tiers import own_tiers_of
from stacks.recovery.stack import RecoveryStack
from stacks.rotation.stack import RotationStack
from stacks.service.stack import ServiceStack, Stores
from stacks.settings import Environment, SettingsError, load_environments
from stacks.storage.stack import StorageStack

# isort: split
from cdktf import App


def build(app: App, settings: Environment, own: Sequence[type[OwnTier]] = ()) -> None:
    """Build the tiers of one environment in dependency order, and the user's own tiers."""
    AccessStack(app, settings, own=permissions_of(own))
    foundation = FoundationStack(app, settings)
    endpoints = [endpoint for tier in own for endpoint in tier.endpoints]
    network = NetworkStack(app, settings, foundation=foundation, own_endpoints=endpoints)
    database = DatabaseStack(app, settings, foundation=foundation, network=network)
    cache = CacheStack(app, settings, foundation=foundation, network=network)
    storage = StorageStack(app, settings, foundation=foundation, network=network)
    rotation = RotationStack(app, settings, foundation=foundation, network=network, database=database)
    stores = Stores(database, cache, storage, rotation)
    service = ServiceStack(app, settings, foundation=foundation, network=network, stores=stores)
    recovery = RecoveryStack(app, settings, foundation=foundation, network=network, database=database, storage=storage)
    tiers = Tiers(foundation, network, *stores, service, recovery)
    monitored = [
        network,
        *stores,
        service,
        recovery,
        AuditStack(app, settings, foundation=foundation),
        *(tier(app, settings, tiers) for tier in own),
    ]
    ObservabilityStack(
        app, settings, foundation=foundation, storage=storage, service=service, monitored_tiers=monitored
    )


def create_app(outdir: Path) -> App:
    """An app that writes to a folder.

    Raises:
        SettingsError: the folder is not writable.
    """
    try:
        (outdir / "stacks").mkdir(parents=True, exist_ok=True)
        return App(outdir=str(outdir))
    except OSError as error:
        raise SettingsError(f"CDKTF_OUTDIR = {outdir}: allowed: a writable folder ({error})") from error


def main() -> None:
    """Synthesize every environment, or only the one that ENV names."""
    outdir = Path(os.environ.get("CDKTF_OUTDIR") or ROOT / "cdktf.out")  # the cdktf CLI sets CDKTF_OUTDIR
    try:
        environments = load_environments(ROOT / "environments", only=os.environ.get("ENV") or None)
        app = create_app(outdir)
        for environment in environments:
            build(app, environment, own_tiers_of(environment.name))
    except SettingsError as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
