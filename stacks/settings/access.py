"""Settings of the access tier: which workflows may plan and apply."""

import re
from typing import Annotated

from stacks.names import GITHUB_ISSUER
from stacks.settings.foundation import ROLE
from stacks.settings.section import InOwnAccount, Matching, Section


class AccessSettings(Section):
    """Who may plan and apply: the GitHub Actions workflows of one repository, and Atlantis."""

    repository: Annotated[
        str,
        Matching(
            # GitHub's own rules for names of owners, of which managed users end in _ and their enterprise's short code,
            # and of repositories; both have their ids, or neither.
            r"(?![\w-]{40})[A-Za-z0-9](?:-?[A-Za-z0-9])*(?:_[A-Za-z0-9]+)?(@\d+)?/(?!\.{1,2}(?:@|$))[\w.-]{1,100}(?(1)@\d+)",
            "a GitHub repository, <owner>/<name> or <owner>@<id>/<name>@<id>, in GitHub's spelling",
        ),
    ]
    """The GitHub repository, as its tokens name it: with ids if it was created, renamed or transferred after 15 July
    2026 ([access](access.md#in-github-actions)). Its pull requests may plan; its jobs in the GitHub environment with
    this environment's name may apply."""

    oidc_provider: (
        Annotated[
            str,
            Matching(
                rf"arn:aws:iam::\d{{12}}:oidc-provider/{re.escape(GITHUB_ISSUER)}",
                f"arn:aws:iam::<account>:oidc-provider/{GITHUB_ISSUER}",
            ),
            InOwnAccount("the provider"),
        ]
        | None
    ) = None
    """The account's OIDC provider for GitHub Actions, if there is one already; otherwise this environment creates it.
    An account can have only one."""

    atlantis_role: Annotated[str, ROLE] | None = None
    """The role of the Atlantis server, in any account: it may assume both deployment roles. Without it, Atlantis has no
    access."""
