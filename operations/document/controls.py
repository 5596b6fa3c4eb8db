"""Generated parts of `docs/controls.md`."""

from collections.abc import Iterable

from operations.document.markdown import table
from synthesized.controls import CONTROLS, NOT_MET_BY_CODE, SUBJECTS


def tables() -> str:
    """One table of controls per subject."""
    lines: list[str] = []
    for subject in SUBJECTS:
        rows = (
            (
                ", ".join(control.requirements),
                control.summary,
                ", ".join(f"`{resource}`" for resource in control.resources),
                f"[{control.name}](#{control.name})",
            )
            for control in subject.CONTROLS
        )
        lines += [f"### {(subject.__doc__ or '').partition('.')[0]}", ""]
        lines.append(table(("PCI DSS", "what the code does", "resources", "control"), rows))
    return "\n".join(lines)


def checks() -> str:
    """The checks of each control, and the defects that they must find."""
    lines: list[str] = []
    for control in CONTROLS:
        lines += [f"### {control.name}", "", "Checked:", ""]
        lines += _list(check.description for check in control.checks)
        lines += ["", "Fails when:", ""]
        lines += [*_list(mutation.description for mutation in control.mutations), ""]
    return "\n".join(lines)


def out_of_scope() -> str:
    """Requirements that code cannot meet."""
    rows = ((number, about, who) for number, (about, who) in NOT_MET_BY_CODE.items())
    return table(("PCI DSS", "about", "responsible"), rows)


def _list(entries: Iterable[str]) -> list[str]:
    return [f"- {entry}" for entry in dict.fromkeys(entries)]
