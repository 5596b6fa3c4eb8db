"""Application Auto Scaling: tags of scalable targets."""

from typing import cast

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from operations.rehearsal.local_aws.extension import Extension


class Backend(ApplicationAutoscalingBackend):
    """With the tags of each target, by its ARN."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.tags: dict[str, dict[str, str]] = {}


class Responses(ApplicationAutoScalingResponse):
    """With the actions on tags."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, applicationautoscaling_backends[self.current_account][self.region])

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"Tags": self.backend.tags.get(self._get_param("ResourceARN"), {})})

    def tag_resource(self) -> ActionResult:
        self.backend.tags.setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags"))
        return EmptyResult()


EXTENSION = Extension(
    "applicationautoscaling", Responses, Backend, serves={"aws_appautoscaling_target": "tags were not kept"}
)
