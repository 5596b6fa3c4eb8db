"""Authorization: each call of a role is allowed or denied by the policies that are deployed at the moment.

Identity policies, permissions boundary, the resource's own policy, and the policy of the VPC endpoint that the call
comes through. Credentials without a role belong to the account's administrator, whom only bucket policies can deny.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import unquote

from moto.core.utils import utcnow
from moto.iam.models import IAMBackend, Role, iam_backends
from moto.sts.models import sts_backends

from local_aws.actions import CALLS_WITHOUT_PERMISSION, KEYS, Call, Check, backend, lists
from local_aws.caller_checks import all_checks, key_of_topic
from local_aws.extension import ApiError
from local_aws.policies import Decision, Keys, Policies, Principal, Request, Statement, decide, parse
from local_aws.policy_parsing import as_list
from local_aws.service_uses import Use, uses_of
from local_aws.tags import tags_of

ANONYMOUS = Principal("anonymous")
EVERYTHING = parse("administrator", json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}))
SERVICES_WITH_DENIALS = {"s3"}
"""Services whose resources may deny their own administrator what he asks for by mistake."""
ASSUMING = {"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"}
FREE_TO_ROOT = {"s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"}
"""What a bucket's policy cannot deny to its account. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html"""
TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
"""Condition keys of the connection. Requests over the loopback interface count as encrypted."""


@dataclass(frozen=True)
class Origin:
    """Where the calls of a session come from."""

    function: str = ""
    """ARN of the Lambda function that makes them."""
    endpoints: Mapping[str, Any] = field(default_factory=dict)
    """moto's VPC endpoints that they go through, by service."""


@dataclass
class Record:
    """What the calls of a role have shown."""

    actions: set[str] = field(default_factory=set)
    """IAM actions that were checked and allowed."""
    statements: set[Statement] = field(default_factory=set)
    """Statements of the role and of its boundary without which a call would have been denied."""
    denied: Counter[str] = field(default_factory=Counter)
    """Denied actions, with the resource and the reason."""


class Authorizer:
    """Decides on calls, and records what it decided by role."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.origins: dict[str, Origin] = {}
        """Where calls come from, by access key."""
        self.records: defaultdict[str, Record] = defaultdict(Record)
        """By the ARN of the role."""
        self._lock = Lock()

    @property
    def iam(self) -> IAMBackend:
        """moto's backend of IAM."""
        return iam_backends[self.account]["aws"]

    def assume(
        self, role_arn: str, service: str, name: str, source_arn: str = "", origin: Origin | None = None
    ) -> dict[str, str]:
        """Environment variables with credentials of a role, for a service that acts as it.

        Args:
            role_arn: the role, whose trust policy must name the service.
            service: the service's principal, such as `lambda.amazonaws.com`.
            name: name of the session.
            source_arn: the resource on whose behalf the service acts.
            origin: where the session's calls come from.

        Raises:
            ApiError: there is no such role, or it does not trust the service.
        """
        if not self.trusts(role_arn, service, source_arn):
            raise ApiError("AccessDenied", f"{service} is not authorized to perform: sts:AssumeRole on {role_arn}")
        session = sts_backends[self.account]["aws"].assume_role("us-east-1", name, role_arn, "", 3600, "")
        self.origins[session.access_key_id] = origin or Origin()
        return {
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token,
        }

    def trusts(self, role_arn: str, service: str, source_arn: str) -> bool:
        """Whether the trust policy of a role lets a service assume it on behalf of a resource."""
        keys = Keys({"aws:SourceAccount": self.account, "aws:SourceArn": source_arn})
        request = Request(Principal(service), "sts:AssumeRole", role_arn, keys)
        return decide(request, Policies((), resource=self._trust(role_arn), needs_resource_policy=True)).is_allowed

    def _trust(self, role_arn: str) -> Sequence[Statement]:
        role = self.role(role_arn)
        return parse(f"{role.name} (trust)", unquote(role.assume_role_policy_document)) if role else ()

    def principal(self, access_key: str) -> Principal:
        """Who signs with an access key: the session of a role, the account's administrator, or nobody."""
        if not access_key:
            return ANONYMOUS
        assumed = sts_backends[self.account]["aws"].get_assumed_role_from_access_key(access_key)
        if not assumed:
            return Principal(f"arn:aws:iam::{self.account}:root")
        return Principal(assumed.role_arn, assumed.arn)

    def role(self, arn: str) -> Role | None:
        """A role of the account by its ARN."""
        return next((role for role in list(self.iam.roles.values()) if role.arn == arn), None)

    def denial(self, access_key: str, call: Call) -> str:
        """Why a call is denied, in AWS's words; empty if it is allowed.

        Raises:
            NotImplementedError: AWS's reference has no such action, or a condition's operator is unknown.
        """
        if problem := self._invalid_key(access_key):
            return problem
        if call.name in ASSUMING:
            return self._denial_of_assuming(access_key, call)
        return self._denial_of_caller(access_key, call) or self._denial_of_services(call)

    def _invalid_key(self, access_key: str) -> str:
        """Why credentials are invalid: those of a session that is unknown or over, or of a user."""
        found = sts_backends[self.account]["aws"].get_assumed_role_from_access_key(access_key)
        if found and found.expiration < utcnow():
            return "The security token included in the request is expired"
        if not found and access_key.startswith("ASIA"):
            return "The security token included in the request is invalid"
        if self.iam.get_user_from_access_key_id(access_key):
            raise NotImplementedError("policies of users are not evaluated")
        return ""

    def _denial_of_assuming(self, access_key: str, call: Call) -> str:
        """Why a role cannot be assumed: its trust policy decides, and, if that leaves it to them, the caller's own.

        The signature of a token is not verified.

        Raises:
            NotImplementedError: the session would have a policy of its own.
        """
        if call.arguments.get("Policy") or call.arguments.get("PolicyArns"):
            raise NotImplementedError("policies of sessions are not evaluated")
        wanted, keys = call.arguments["RoleArn"], {"sts:RoleSessionName": call.arguments["RoleSessionName"]}
        refused = f"Not authorized to perform {call.name} on {wanted}"
        if call.operation == "AssumeRole":
            principal = self.principal(access_key)
            own = self.role(principal.arn)
            identity = [*self.statements(own)] if own else EVERYTHING
            if external := call.arguments.get("ExternalId"):
                keys["sts:ExternalId"] = external
        else:
            claims = read_token(call.arguments["WebIdentityToken"])
            provider = self._provider(claims)
            if not provider:
                return refused
            principal, own, identity = Principal("", federated=provider.arn), None, ()
            keys |= {f"{provider.url}:{claim}": str(value) for claim, value in claims.items()}
        check = Check(call.name, wanted, keys)
        request = Request(principal, call.name, wanted, self._keys(principal, own, check, call, Origin()))
        limit = self.boundary(own) if own else None
        policies = Policies(identity, limit, self._trust(wanted), needs_resource_policy=True)
        return "" if decide(request, policies).is_allowed else refused

    def _provider(self, claims: Mapping[str, Any]) -> Any:
        """The identity provider of a token's issuer and audience, if the token has not expired."""
        issuer = str(claims.get("iss")).removeprefix("https://")
        found = [each for each in list(self.iam.open_id_providers.values()) if each.url == issuer]
        is_valid = claims.get("exp", 0) > datetime.now(UTC).timestamp()
        return found[0] if found and is_valid and claims.get("aud") in found[0].client_id_list else None

    def _denial_of_caller(self, access_key: str, call: Call) -> str:
        principal = self.principal(access_key)
        is_administrator = not principal.session and principal is not ANONYMOUS
        if call.name in CALLS_WITHOUT_PERMISSION:
            return ""
        if is_administrator and call.service not in SERVICES_WITH_DENIALS:
            return ""
        origin = self.origins.get(access_key, Origin())
        role = self.role(principal.arn)
        for check in all_checks(call):
            if is_administrator and check.action in FREE_TO_ROOT:
                continue
            decision = self._decide(principal, role, check, call, origin, is_administrator=is_administrator)
            if not decision.is_allowed:
                who = principal.session or principal.arn
                return f"User: {who} is not authorized to perform: {check} {decision.reason}"
        return ""

    def _denial_of_services(self, call: Call) -> str:
        """Why a service cannot do what the call asks of it as a role."""
        try:
            for use in uses_of(call):
                if self.role(use.role):  # otherwise the service itself refuses the call
                    self.check_role(use, call)
        except ApiError as error:
            return error.message
        return ""

    def check_role(self, use: Use, call: Call) -> None:
        """Check what a service does as a role, without calls over HTTP.

        Raises:
            ApiError: the role does not trust the service, or may not do it.
        """
        if not self.trusts(use.role, use.service, use.source):
            raise ApiError("AccessDenied", f"{use.service} is not authorized to perform: sts:AssumeRole on {use.role}")
        principal, role = Principal(use.role, f"{use.role}/{use.service}"), self.role(use.role)
        for check in use.checks:
            decision = self._decide(principal, role, check, call, Origin())
            if not decision.is_allowed:
                raise ApiError(
                    "AccessDeniedException",
                    f"{use.service} is not authorized as {use.role} to perform: {check} {decision.reason}",
                )

    def check_service(self, service: str, action: str, resource: str, source_arn: str, region: str) -> None:
        """Check what a service does by itself: the resource's policy must allow it.

        Raises:
            ApiError: it does not.
        """
        keys = {"aws:SourceAccount": self.account, "aws:SourceArn": source_arn, "aws:PrincipalIsAWSService": "true"}
        call = Call(action.partition(":")[0], action.partition(":")[2], {}, self.account, region)
        policy = self._resource_policy(Check(action, resource), call)
        request = Request(Principal(service), action, resource, Keys({**TLS, **keys}))
        decision = decide(request, Policies((), resource=policy, needs_resource_policy=True))
        if not decision.is_allowed:
            raise ApiError(
                "AccessDeniedException",
                f"User: {service} is not authorized to perform: {action} on resource: {resource} {decision.reason}",
            )
        if action == "sns:Publish" and (key := key_of_topic(resource, call)):
            # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
            for use in ("kms:Decrypt", "kms:GenerateDataKey"):
                self.check_service(service, use, key, source_arn, region)

    def _decide(
        self,
        principal: Principal,
        role: Role | None,
        check: Check,
        call: Call,
        origin: Origin,
        *,
        is_administrator: bool = False,
    ) -> Decision:
        """Decide on a check, and record the decision."""
        request = Request(principal, check.action, check.resource, self._keys(principal, role, check, call, origin))
        decision = decide(request, self._policies(role, check, call, origin, is_administrator=is_administrator))
        with self._lock:
            record = self.records[principal.arn]
            if decision.is_allowed:
                record.actions.add(check.action)
                record.statements |= decision.needed
            else:
                record.denied[f"{check.action} on {check.resource} {decision.reason}"] += 1
        return decision

    def _policies(
        self, role: Role | None, check: Check, call: Call, origin: Origin, *, is_administrator: bool
    ) -> Policies:
        identity: Sequence[Statement] = [*self.statements(role)] if role else EVERYTHING if is_administrator else ()
        boundary = self.boundary(role) if role else None
        endpoint = _endpoint(check, origin)
        is_key = check.action.startswith("kms:") and ":key/" in check.resource and "*" not in check.resource
        return Policies(
            identity,
            boundary,
            self._resource_policy(check, call),
            parse(endpoint.id, endpoint.policy_document) if endpoint and endpoint.policy_document else None,
            needs_resource_policy=is_key,
        )

    def statements(self, role: Role) -> Iterator[Statement]:
        """Statements of a role's own and attached policies."""
        for name, document in list(role.policies.items()):
            yield from parse(f"{role.name}/{name}", unquote(document))
        for policy in list(role.managed_policies.values()):
            yield from parse(policy.arn, _document(policy))

    def boundary(self, role: Role) -> Sequence[Statement] | None:
        """Statements of a role's permissions boundary."""
        if not role.permissions_boundary_arn:
            return None
        policy = self.iam.managed_policies[role.permissions_boundary_arn]
        return parse(policy.arn, _document(policy))

    def _resource_policy(self, check: Check, call: Call) -> Sequence[Statement]:
        _, _, service, region, _, own = (check.resource.split(":", 5) + [""] * 5)[:6]
        read = RESOURCE_POLICIES.get(service)
        # An object's key may have an asterisk.
        if not read or "*" in (own.partition("/")[0] if service == "s3" else own):
            return ()
        document = read(backend(service, Call(service, "", {}, self.account, region or call.region)), own)
        return parse(check.resource, document if isinstance(document, str) else document.decode()) if document else ()

    def _keys(self, principal: Principal, role: Role | None, check: Check, call: Call, origin: Origin) -> Keys:
        now = datetime.now(UTC)
        keys: dict[str, str | Sequence[str]] = {
            **TLS,
            "aws:CurrentTime": now.isoformat(),
            "aws:EpochTime": str(int(now.timestamp())),
            "aws:PrincipalAccount": self.account,
            "aws:PrincipalArn": principal.arn,
            "aws:PrincipalIsAWSService": "false",
            "aws:PrincipalType": "AssumedRole",
            "aws:RequestedRegion": call.region,
            "aws:ViaAWSService": str("kms:ViaService" in check.keys).lower(),
            **check.keys,
        }
        if origin.function:
            keys["lambda:SourceFunctionArn"] = origin.function
        if endpoint := _endpoint(check, origin):
            keys |= {"aws:SourceVpc": endpoint.vpc_id, "aws:SourceVpce": endpoint.id}
        if check.resource != "*":
            keys["aws:ResourceAccount"] = check.resource.split(":", 5)[4] or self.account
        if check.action.startswith("sns:"):
            keys["aws:SourceOwner"] = self.account  # in the default policy of a topic
        if check.action.startswith("kms:"):
            keys.setdefault("kms:CallerAccount", self.account)
        if role:
            keys |= {f"aws:PrincipalTag/{tag['Key']}": tag["Value"] for tag in role.tags}
        return Keys(keys, lambda name: self._looked_up(name, check, call))

    def _looked_up(self, name: str, check: Check, call: Call) -> Sequence[str] | None:
        """Values of condition keys that describe the resource as it is.

        Raises:
            NotImplementedError: AWS may send the key, and it is not known here.
        """
        kind, _, tag = name.partition("/")
        if kind in {"aws:resourcetag", "ec2:resourcetag"}:
            # A role's tags say nothing of who passes it. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
            if check.resource == "*" or check.action == "iam:PassRole":
                return None
            if not lists(check.action, check.resource, "aws:ResourceTag/${TagKey}"):
                return None
            tags = tags_of(check.resource, self.account)
            return next(([value] for key, value in tags.items() if key.lower() == tag), None)
        if found := DESCRIPTIONS.get(name):
            key, read = found
            return read(check, call) if lists(check.action, check.resource, key) else None
        if name not in ABSENT_IF_NOT_SENT and not name.startswith(ABSENT_PREFIXES):
            raise NotImplementedError(f"the condition key {name} is not known")
        return None


def _endpoint(check: Check, origin: Origin) -> Any:
    """The VPC endpoint that a request comes through, unless a service makes it for its caller."""
    return None if "kms:ViaService" in check.keys else origin.endpoints.get(check.action.partition(":")[0])


def read_token(token: str) -> Mapping[str, Any]:
    """Claims of a JSON Web Token; none if it is not one."""
    try:
        _, claims, _ = token.split(".")
        return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except ValueError:
        return {}


def _document(policy: Any) -> str:
    version = next(each for each in policy.versions if each.is_default)
    return unquote(version.document)


def _aliases(check: Check, call: Call) -> Sequence[str] | None:
    if ":key/" not in check.resource:
        return None
    region = check.resource.split(":")[3]
    kms = backend("kms", Call("kms", "", {}, call.account, region))
    wanted = check.resource.rpartition("/")[2]
    return [alias.alias_name for alias in list(kms.list_aliases()) if alias.target_key_id == wanted] or None


def _cluster(check: Check, call: Call) -> Sequence[str] | None:
    parts = check.resource.split("/")
    return [call.arn(f"cluster/{parts[1]}", "ecs")] if ":service/" in check.resource else None


def _boundary(check: Check, call: Call) -> Sequence[str] | None:
    if asked := call.arguments.get("PermissionsBoundary"):
        return [asked]
    name = check.resource.rpartition("/")[2]
    role = next((each for each in list(backend("iam", call).roles.values()) if each.name == name), None)
    return [role.permissions_boundary_arn] if role and role.permissions_boundary_arn else None


def _rotating_function(check: Check, call: Call) -> Sequence[str] | None:
    secrets: Any = backend("secretsmanager", call).secrets
    arn = secrets[check.resource].rotation_lambda_arn if check.resource in secrets else None
    return [arn] if arn else None


# Condition keys by their names in lower case: as the reference spells them, and what tells their values.
DESCRIPTIONS: Mapping[str, tuple[str, Callable[[Check, Call], Sequence[str] | None]]] = {
    "ecs:cluster": ("ecs:cluster", _cluster),
    "iam:permissionsboundary": ("iam:PermissionsBoundary", _boundary),
    "kms:resourcealiases": ("kms:ResourceAliases", _aliases),
    "secretsmanager:resource/allowrotationlambdaarn": (
        "secretsmanager:resource/AllowRotationLambdaArn",
        _rotating_function,
    ),
}
# Condition keys that a request has only if they are given with it, in lower case.
ABSENT_IF_NOT_SENT = {
    "aws:resourceaccount",
    *("aws:sourceaccount", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:tagkeys"),
    *("aws:federatedprovider", "aws:principalorgid", "ec2:createaction", "elasticfilesystem:accesspointarn"),
    *("iam:awsservicename", "iam:passedtoservice", "iam:policyarn", "kms:calleraccount"),
    *("kms:grantisforawsresource", "kms:viaservice", "lambda:sourcefunctionarn", "sts:externalid"),
    *(key.lower() for key in KEYS),
}
ABSENT_PREFIXES = (
    "aws:principaltag/",
    "aws:requesttag/",
    "kms:encryptioncontext:",
    "token.actions.githubusercontent.com:",
)


def _of_function(functions: Any, own: str) -> str:
    found = [each for each in functions.list_functions() if each.function_name == own.rpartition(":")[2]]
    return json.dumps({"Statement": found[0].policy.statements}) if found else ""


def _of_bucket(buckets: Any, own: str) -> Any:
    bucket = buckets.buckets.get(own.partition("/")[0])
    return bucket.policy if bucket else ""


def _of_secret(secrets: Any, own: str) -> Any:
    found = [each for each in list(secrets.secrets.values()) if each.arn.endswith(f":{own}")]
    return found[0].policy if found else ""


def _of_topic(topics: Any, own: str) -> str:
    return next((topic.policy for arn, topic in list(topics.topics.items()) if arn.endswith(f":{own}")), "")


def _of_key(keys: Any, own: str) -> str:
    key = keys.keys.get(own.partition("/")[2])
    return key.policy if key else ""


def _of_repository(repositories: Any, own: str) -> Any:
    found = repositories.repositories.get(own.partition("/")[2])
    return found.policy if found else ""


def _of_queue(queues: Any, own: str) -> Any:
    queue = queues.queues.get(own)
    return queue.policy if queue else ""


def _of_log_groups(logs: Any, own: str) -> str:
    """All of an account's policies for log groups together."""
    del own
    documents = [json.loads(each.policy_document) for each in list(logs.resource_policies.values())]
    return json.dumps({"Statement": [each for document in documents for each in as_list(document["Statement"])]})


# Policies of resources themselves, by service.
RESOURCE_POLICIES: Mapping[str, Callable[[Any, str], Any]] = {
    "ecr": _of_repository,
    "kms": _of_key,
    "lambda": _of_function,
    "logs": _of_log_groups,
    "s3": _of_bucket,
    "secretsmanager": _of_secret,
    "sns": _of_topic,
    "sqs": _of_queue,
}
