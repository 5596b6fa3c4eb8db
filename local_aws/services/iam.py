"""IAM: the name of AWS Config's service-linked role."""

from moto.iam.models import IAMBackend, Role
from moto.iam.responses import IamResponse

from local_aws.extension import Extension

# https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles.html
SERVICE_LINKED_ROLE_NAMES = {"AWSServiceRoleForconfig": "AWSServiceRoleForConfig"}


class Backend(IAMBackend):
    """Adds AWS's spelling of role names."""

    def create_role(self, role_name: str, *args: object, **settings: object) -> Role:
        return super().create_role(SERVICE_LINKED_ROLE_NAMES.get(role_name, role_name), *args, **settings)  # pyright: ignore[reportArgumentType] - moto's own arguments, unchanged


EXTENSION = Extension("iam", IamResponse, Backend)
