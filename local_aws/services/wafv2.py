"""WAF: removal of all rules of a web ACL, one web ACL per resource, and protection of associated web ACLs."""

from moto.core.common_types import TYPE_RESPONSE
from moto.wafv2.models import WAFV2Backend
from moto.wafv2.responses import WAFV2Response

from local_aws.extension import ApiError, Extension


class Backend(WAFV2Backend):
    """Replaces the previous association of a resource, and refuses to delete an associated web ACL."""

    def associate_web_acl(self, web_acl_arn: str, resource_arn: str) -> None:
        if web_acl_arn in self.wacls:
            self.disassociate_web_acl(resource_arn)
        super().associate_web_acl(web_acl_arn, resource_arn)

    def delete_web_acl(self, name: str, scope: str, _id: str, lock_token: str) -> None:
        if self.get_web_acl(None, name, _id).associated_resources:
            raise ApiError("WAFAssociatedItemException", "The web ACL is still associated with a resource.")
        super().delete_web_acl(name, scope, _id, lock_token)


class Responses(WAFV2Response):
    """Allows an update to remove all rules."""

    def update_web_acl(self) -> TYPE_RESPONSE:
        updated = super().update_web_acl()
        if not self._get_param("Rules"):
            self.wafv2_backend.get_web_acl(None, self._get_param("Name"), self._get_param("Id")).rules = []
        return updated


EXTENSION = Extension(
    "wafv2",
    Responses,
    Backend,
    gaps={
        "aws_wafv2_web_acl": "could not remove its last rules",
        "aws_wafv2_web_acl_association": "allowed several web ACLs per resource",
    },
)
