"""Properties that distinguish a resource from others of its type, queried by ARN; None if it was deleted.

AWS still lists some resources after their deletion, for example ECS clusters as inactive.
"""

from synthesized.catalogue.arns import id_of, region_of
from synthesized.catalogue.aws_account import AwsAccount


def key(account: AwsAccount, arn: str) -> set[str] | None:
    """Its description: a key has no name. AWS deletes it after 7 to 30 days."""
    metadata = account.client("kms", region_of(arn)).describe_key(KeyId=id_of(arn))["KeyMetadata"]
    return None if metadata["KeyState"] == "PendingDeletion" else {metadata["Description"]}


def secret(account: AwsAccount, arn: str) -> set[str] | None:
    """Nothing beyond its ARN. AWS deletes it after 7 to 30 days."""
    return None if "DeletedDate" in account.client("secretsmanager").describe_secret(SecretId=arn) else set()


def nat_gateway(account: AwsAccount, arn: str) -> set[str] | None:
    """Nothing beyond its ARN. AWS lists it for an hour after its deletion."""
    gateways = account.client("ec2").describe_nat_gateways(NatGatewayIds=[id_of(arn)])["NatGateways"]
    return set() if any(gateway["State"] not in {"deleting", "deleted"} for gateway in gateways) else None


def ingress_rule(account: AwsAccount, arn: str) -> set[str] | None:
    return _rule(account, arn, is_egress=False)


def egress_rule(account: AwsAccount, arn: str) -> set[str] | None:
    return _rule(account, arn, is_egress=True)


def _rule(account: AwsAccount, arn: str, *, is_egress: bool) -> set[str] | None:
    response = account.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id_of(arn)])
    (rule,) = response["SecurityGroupRules"]
    return {rule.get("Description", "")} - {""} if rule["IsEgress"] == is_egress else None


def listener(account: AwsAccount, arn: str) -> set[str]:
    listeners = account.client("elbv2").describe_listeners(ListenerArns=[arn])["Listeners"]
    return {str(each["Port"]) for each in listeners}


def ecs_cluster(account: AwsAccount, arn: str) -> set[str] | None:
    clusters = account.client("ecs").describe_clusters(clusters=[arn])["clusters"]
    return set() if any(cluster["status"] != "INACTIVE" for cluster in clusters) else None


def ecs_service(account: AwsAccount, arn: str) -> set[str] | None:
    services = account.client("ecs").describe_services(cluster=arn.split("/")[1], services=[arn])["services"]
    return set() if any(service["status"] == "ACTIVE" for service in services) else None


def task_definition(account: AwsAccount, arn: str) -> set[str] | None:
    described = account.client("ecs").describe_task_definition(taskDefinition=arn)
    return set() if described["taskDefinition"]["status"] == "ACTIVE" else None
