"""IAM: the name of AWS Config's own role."""

from moto.iam.models import IAMBackend, Role
from moto.iam.responses import IamResponse

from local_aws.extension import Extension

# https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles.html
SERVICE_LINKED_ROLE_NAMES = {"AWSServiceRoleForconfig": "AWSServiceRoleForConfig"}


class Backend(IAMBackend):
    """With names as AWS spells them."""

    def create_role(self, role_name: str, *args: object, **asked: object) -> Role:
        return super().create_role(SERVICE_LINKED_ROLE_NAMES.get(role_name, role_name), *args, **asked)  # pyright: ignore[reportArgumentType] - handed on as they are


EXTENSION = Extension("iam", IamResponse, Backend)
