"""Settings of the access tier: whose workflows may plan and apply."""

import re
from typing import Annotated

from stacks.settings.foundation import ROLE
from stacks.settings.section import InOwnAccount, Matching, Section

ISSUER = "token.actions.githubusercontent.com"
"""Of the tokens by which GitHub's workflows say who they are."""


class AccessSettings(Section):
    """Who plans and who applies: GitHub's workflows of one repository, and Atlantis."""

    repository: Annotated[
        str,
        Matching(
            # GitHub's own rules for names of owners and of repositories.
            r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/(?!\.{1,2}$)[\w.-]{1,100}",
            "a repository of GitHub's, <owner>/<name>, as GitHub writes it",
        ),
    ]
    """Whose pull requests may plan, and whose jobs of the GitHub environment of this one's name may apply."""

    oidc_provider: (
        Annotated[
            str,
            Matching(
                rf"arn:aws:iam::\d{{12}}:oidc-provider/{re.escape(ISSUER)}",
                f"arn:aws:iam::<account>:oidc-provider/{ISSUER}",
            ),
            InOwnAccount("the provider"),
        ]
        | None
    ) = None
    """By which AWS knows GitHub's workflows, where the account has it already; made by this environment without it.
    An account has one."""

    atlantis_role: Annotated[str, ROLE] | None = None
    """The role of the Atlantis server's task, in whichever account, which takes on both roles; none without it."""
