"""`python -m operations <command>`: what the team runs around a deploy."""

# First: where Python is not the one that has the project's packages, it says so in a line.
import stacks  # noqa: F401  # pyright: ignore[reportUnusedImport] - for that alone

# isort: split
import typer

from operations.atlantis import atlantis
from operations.bootstrap.command import bootstrap
from operations.drift import drift
from operations.lock import lock
from operations.orphans import orphans
from operations.plan_all import plan_all
from operations.preflight.command import preflight
from operations.review.command import review
from operations.scan.command import scan
from rehearsal.command import rehearse, rehearse_atlantis, rehearse_faults, rehearse_guide

app = typer.Typer(
    help="""What the team runs around a deploy. `python -m operations COMMAND --help` says more of each command.

AWS is reached with the credentials that boto3 finds, in the environment's own account and Region alone.""",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(atlantis)
app.command()(bootstrap)
app.command()(drift)
app.command()(lock)
app.command()(orphans)
app.command()(plan_all)
app.command()(preflight)
app.command()(rehearse)
app.command()(rehearse_atlantis)
app.command()(rehearse_faults)
app.command()(rehearse_guide)
app.command()(review)
app.command()(scan)

if __name__ == "__main__":
    app(prog_name="python -m operations")
