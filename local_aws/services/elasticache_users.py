"""ElastiCache's users and user groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from moto.elasticache.models import ElastiCacheBackend, User

from local_aws.extension import ApiError


def complete_access_string(rules: str) -> str:
    """Access rules with `-@all` before the first command, which ElastiCache adds where all commands are not named.

    tests/corpus/AWS__ElastiCache__User.HuntEcReaderUser.json in https://github.com/go-to-k/cdk-real-drift
    """
    words = rules.split()
    commands = [position for position, word in enumerate(words) if word[0] in "+-"]
    if commands and not {"-@all", "+@all"} & set(words):
        words.insert(commands[0], "-@all")
    return " ".join(words)


class UsersBackend(ElastiCacheBackend):
    """Adds updates of users, user groups, and deletion."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.user_groups: dict[str, dict[str, Any]] = {}

    def create_user(self, *args: Any, **settings: Any) -> User:
        if settings["authentication_type"] == "iam" and settings["user_id"] != settings["user_name"]:
            raise ApiError("InvalidParameterValue", "For IAM authentication, user name and user ID must be identical")
        user = super().create_user(*args, **settings)
        user.no_password_required = settings["authentication_type"] == "no-password-required"
        user.access_string = complete_access_string(user.access_string)
        return user

    def describe_users(self, user_id: str | None) -> list[User]:
        users = super().describe_users(user_id)
        for user in users:
            user.user_group_ids = [name for name, group in self.user_groups.items() if user.id in group["UserIds"]]
        return users

    def modify_user(self, user_id: str, request: Mapping[str, Any]) -> User:
        user = self.describe_users(user_id)[0]
        user.engine = request.get("Engine", user.engine)
        user.access_string = request.get("AccessString", user.access_string)
        if "AppendAccessString" in request:
            user.access_string += f" {request['AppendAccessString']}"
        user.access_string = complete_access_string(user.access_string)
        mode: Mapping[str, Any] = request.get("AuthenticationMode", {})
        if passwords := request.get("Passwords") or mode.get("Passwords"):
            user.passwords, user.authentication_type, user.no_password_required = passwords, "password", False
        elif mode.get("Type") == "iam":
            user.passwords, user.authentication_type, user.no_password_required = [], "iam", False
        elif request.get("NoPasswordRequired") or mode:
            user.passwords, user.authentication_type, user.no_password_required = [], "no-password-required", True
        return user

    def delete_user(self, user_id: str) -> User:
        user = self.describe_users(user_id)[0]
        if user.name == "default" and user.user_group_ids:
            raise ApiError("DefaultUserAssociatedToUserGroup", f"User {user_id} is the default user of a user group")
        for name in user.user_group_ids:
            self.user_groups[name]["UserIds"].remove(user_id)
        self._delete_tags(user.arn)
        del self.users[user_id]
        user.status = "deleting"
        return user

    def create_user_group(
        self, name: str, engine: str, users: Sequence[str], tags: list[dict[str, str]]
    ) -> dict[str, Any]:
        if name in self.user_groups:
            raise ApiError("UserGroupAlreadyExists", f"User Group {name} already exists.")
        self._check_users(users)
        arn = self._arn("usergroup", name)
        self.user_groups[name] = {
            "UserGroupId": name,
            "Status": "active",
            "Engine": engine.lower(),
            "UserIds": list(users),
            "MinimumEngineVersion": "6.0",
            "ARN": arn,
        }
        self.tagging_service.tag_resource(arn, tags)
        return self.user_group(name)

    def user_group(self, name: str) -> dict[str, Any]:
        if name not in self.user_groups:
            raise ApiError("UserGroupNotFound", f"User Group {name} not found.")
        users = [
            group.replication_group_id for group in self.replication_groups.values() if name in group.user_group_ids
        ]
        return self.user_groups[name] | {"ReplicationGroups": users}

    def modify_user_group(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        group = self.user_group(name)
        kept = [user for user in group["UserIds"] if user not in request.get("UserIdsToRemove", [])]
        users = kept + request.get("UserIdsToAdd", [])
        self._check_users(users)
        self.user_groups[name] |= {"UserIds": users, "Engine": request.get("Engine", group["Engine"]).lower()}
        return self.user_group(name)

    def delete_user_group(self, name: str) -> dict[str, Any]:
        group = self.user_group(name)
        if group["ReplicationGroups"]:
            raise ApiError("InvalidUserGroupState", f"User Group {name} is used by {group['ReplicationGroups']}")
        self._delete_tags(group["ARN"])
        del self.user_groups[name]
        return group | {"Status": "deleting"}

    def _check_users(self, users: Sequence[str]) -> None:
        names = [self.describe_users(user)[0].name for user in users]
        if "default" not in names:
            raise ApiError("DefaultUserRequired", "A user group needs a user whose name is default")
        if len(set(names)) < len(names):
            raise ApiError("DuplicateUserName", "Two users of a group have the same name")

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:elasticache:{self.region_name}:{self.account_id}:{kind}:{name}"

    def _delete_tags(self, arn: str) -> None:
        self.tagging_service.delete_all_tags_for_resource(arn)
