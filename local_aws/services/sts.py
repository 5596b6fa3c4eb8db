"""STS: roles are assumed only by whom they trust. Tokens of identity providers are read, and their signature is not."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

from local_aws import session
from local_aws.extension import ApiError, Extension
from local_aws.policies import Keys, Principal


class Responses(TokenResponse):
    """Checks the trust policy of the role."""

    def assume_role(self) -> ActionResult:
        self._check("sts:AssumeRole", session.current().authorizer.principal(self.access_key), Keys({}))
        return super().assume_role()

    def assume_role_with_web_identity(self) -> ActionResult:
        claims = read_token(self._get_param("WebIdentityToken"))
        issuer = str(claims["iss"]).removeprefix("https://")
        provider = f"arn:aws:iam::{self.current_account}:oidc-provider/{issuer}"
        keys = {f"{issuer}:{claim}": str(value) for claim, value in claims.items()}
        principal = Principal("", federated=provider)
        self._check("sts:AssumeRoleWithWebIdentity", principal, Keys({**keys, "aws:FederatedProvider": provider}))
        return super().assume_role_with_web_identity()

    def _check(self, action: str, principal: Principal, keys: Keys) -> None:
        role = self._get_param("RoleArn")
        if not session.current().authorizer.trusts(role, action, principal, keys):
            raise ApiError("AccessDenied", f"Not authorized to perform {action} on {role}")


def read_token(token: str) -> Mapping[str, Any]:
    """Claims of a JSON Web Token.

    Raises:
        ApiError: it is none.
    """
    try:
        _, claims, _ = token.split(".")
        return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except ValueError as error:
        raise ApiError("InvalidIdentityToken", "The ID Token provided is not a valid JWT") from error


EXTENSION = Extension("sts", Responses)
"""moto lets everyone assume every role."""
