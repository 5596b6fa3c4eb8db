"""IAM: the name of AWS Config's service-linked role, and thumbprints of identity providers."""

from moto.iam.models import IAMBackend, OpenIDConnectProvider, Role
from moto.iam.responses import IamResponse

from local_aws.extension import Extension

# https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles.html
SERVICE_LINKED_ROLE_NAMES = {"AWSServiceRoleForconfig": "AWSServiceRoleForConfig"}
# One of GitHub's. https://github.com/aws-actions/configure-aws-credentials/issues/357
THUMBPRINT = "6938fd4d98bab03faadb97b34396831e3780aea1"


class Backend(IAMBackend):
    """Adds AWS's spelling of role names, and the thumbprint that IAM retrieves if a request has none."""

    def create_role(self, role_name: str, *args: object, **settings: object) -> Role:
        return super().create_role(SERVICE_LINKED_ROLE_NAMES.get(role_name, role_name), *args, **settings)  # pyright: ignore[reportArgumentType] - moto's own arguments, unchanged

    def create_open_id_connect_provider(
        self, url: str, thumbprint_list: list[str], client_id_list: list[str], tags: list[dict[str, str]]
    ) -> OpenIDConnectProvider:
        return super().create_open_id_connect_provider(url, thumbprint_list or [THUMBPRINT], client_id_list, tags)


EXTENSION = Extension("iam", IamResponse, Backend)
