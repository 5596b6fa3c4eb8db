"""Mutations for test_service.py: service, task, scaling, load balancer, certificate, WAF, redeployment."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.database import delete_scaling_policy, scaling
from tests.changes.mutations.lookup import balancer, named, service, tagged


def service_is(**parameters: Any) -> Mutation:
    """Update the service."""

    def change(aws: LocalAws) -> None:
        one = service(aws)
        aws.client("ecs").update_service(cluster=one.cluster_name, service=one.name, **parameters)

    return change


def tasks_are(**parameters: Any) -> Mutation:
    """Change the network configuration of tasks, with names of subnets and security groups."""

    def change(aws: LocalAws) -> None:
        (one,) = aws.client("ecs").describe_services(cluster=service(aws).cluster_name, services=[service(aws).name])[
            "services"
        ]
        network = {**one["networkConfiguration"]["awsvpcConfiguration"]}
        if "subnets" in parameters:
            network["subnets"] = [named(aws, "subnet", name) for name in parameters["subnets"]]
        if "groups" in parameters:
            network["securityGroups"] = [named(aws, "sg", name) for name in parameters["groups"]]
        network["assignPublicIp"] = parameters.get("public", network["assignPublicIp"])
        service_is(networkConfiguration={"awsvpcConfiguration": network})(aws)

    return change


def deployment_is(**parameters: Any) -> Mutation:
    """Change the deployment configuration."""
    return service_is(deploymentConfiguration=parameters)


def reduce_desired_count(aws: LocalAws) -> None:
    """Reduce the desired count, so that ECS does not replace stopped tasks."""
    service_is(desiredCount=1)(aws)


def change_task_definition(change: Any) -> Mutation:
    """Change the current task definition directly: the API cannot change a revision."""

    def changed(aws: LocalAws) -> None:
        family, _, revision = service(aws).task_definition.rpartition("/")[2].partition(":")
        change(aws.backend("ecs").task_definitions[family][int(revision)])

    return changed


def change_secret(definition: Any) -> None:
    for secret in definition.container_definitions[0]["secrets"]:
        secret["valueFrom"] = secret["valueFrom"].replace("database-credential", "another")


def disable_mount_encryption(definition: Any) -> None:
    for volume in definition.volumes:
        if "efsVolumeConfiguration" in volume:
            volume["efsVolumeConfiguration"]["transitEncryption"] = "DISABLED"


def allow_root_writes(definition: Any) -> None:
    definition.container_definitions[0]["readonlyRootFilesystem"] = False


def drop_no_capabilities(definition: Any) -> None:
    definition.container_definitions[0]["linuxParameters"]["capabilities"]["drop"] = ["NET_RAW"]


def limit_no_memory(definition: Any) -> None:
    del definition.container_definitions[0]["memory"]


def another_balancer_faces_the_internet(aws: LocalAws) -> None:
    aws.client("elbv2").create_load_balancer(
        Name="another", Subnets=[named(aws, "subnet", "public-a"), named(aws, "subnet", "public-b")]
    )


def balancer_is_in_one_zone(aws: LocalAws) -> None:
    model(aws).subnets = model(aws).subnets[:1]


def model(aws: LocalAws) -> Any:
    """The load balancer's model."""
    return aws.backend("elbv2").load_balancers[balancer(aws)]


def balancer_has_another_group(aws: LocalAws) -> None:
    aws.client("elbv2").set_security_groups(LoadBalancerArn=balancer(aws), SecurityGroups=[named(aws, "sg", "service")])


def listener(aws: LocalAws, port: int) -> dict[str, Any]:
    """The listener of a port."""
    listeners = aws.client("elbv2").describe_listeners(LoadBalancerArn=balancer(aws))["Listeners"]
    (one,) = (one for one in listeners if one["Port"] == port)
    return one


def balancer_listens_elsewhere(aws: LocalAws) -> None:
    aws.client("elbv2").create_listener(
        LoadBalancerArn=balancer(aws),
        Protocol="HTTP",
        Port=8080,
        DefaultActions=listener(aws, 443)["DefaultActions"],
    )


def tls_is_old(aws: LocalAws) -> None:
    aws.client("elbv2").modify_listener(
        ListenerArn=listener(aws, 443)["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08"
    )


def answer_http(aws: LocalAws) -> None:
    aws.client("elbv2").modify_listener(
        ListenerArn=listener(aws, 80)["ListenerArn"],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )


def use_http_target_group(aws: LocalAws) -> None:
    (one,) = aws.backend("elbv2").target_groups.values()
    one.protocol = "HTTP"


def task_takes_no_requests(aws: LocalAws) -> None:
    elb = aws.client("elbv2")
    (group,) = elb.describe_target_groups()["TargetGroups"]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    elb.deregister_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[health[0]["Target"]])


def certificate(aws: LocalAws) -> Any:
    """The certificate's model."""
    (arn,) = tagged(aws, "acm", "certificate")
    return aws.backend("acm")._certificates[arn]


def certificate_has_expired(aws: LocalAws) -> None:
    certificate(aws).status = "EXPIRED"


def another_certificate_is_shown(aws: LocalAws) -> None:
    arn = aws.client("acm").request_certificate(DomainName="another.example")["CertificateArn"]
    aws.client("elbv2").modify_listener(
        ListenerArn=listener(aws, 443)["ListenerArn"], Certificates=[{"CertificateArn": arn}]
    )


def domain_leads_elsewhere(aws: LocalAws) -> None:
    route53 = aws.client("route53")
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    (one,) = (record for record in records if record["Type"] == "A")
    one["AliasTarget"]["DNSName"] = "elsewhere.example."
    route53.change_resource_record_sets(
        HostedZoneId=zone["Id"], ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": one}]}
    )


def web_acl(aws: LocalAws) -> dict[str, Any]:
    """Parameters of UpdateWebACL with the current values."""
    waf = aws.client("wafv2")
    arn = waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    (one,) = (acl for acl in waf.list_web_acls(Scope="REGIONAL")["WebACLs"] if acl["ARN"] == arn)
    acl = waf.get_web_acl(Name=one["Name"], Scope="REGIONAL", Id=one["Id"])
    kept = ("Name", "Id", "DefaultAction", "VisibilityConfig", "Rules", "Description")
    return {**{name: acl["WebACL"][name] for name in kept}, "Scope": "REGIONAL", "LockToken": acl["LockToken"]}


def replace_web_acl(aws: LocalAws) -> None:
    """Associate another web ACL with the same rules and logs, but without tags."""
    waf, current = aws.client("wafv2"), web_acl(aws)
    log = waf.get_logging_configuration(
        ResourceArn=waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    )["LoggingConfiguration"]
    kept = ("DefaultAction", "VisibilityConfig", "Rules", "Scope")
    other = waf.create_web_acl(Name="another", **{name: current[name] for name in kept})["Summary"]["ARN"]
    waf.put_logging_configuration(
        LoggingConfiguration={"ResourceArn": other, "LogDestinationConfigs": log["LogDestinationConfigs"]}
    )
    waf.associate_web_acl(WebACLArn=other, ResourceArn=balancer(aws))


def count_managed_rules(aws: LocalAws) -> None:
    current = web_acl(aws)
    for rule in current["Rules"]:
        if "ManagedRuleGroupStatement" in rule["Statement"]:
            rule["OverrideAction"] = {"Count": {}}
            break
    aws.client("wafv2").update_web_acl(**current)


def remove_rate_limit(aws: LocalAws) -> None:
    current = web_acl(aws)
    current["Rules"] = [rule for rule in current["Rules"] if "RateBasedStatement" not in rule["Statement"]]
    aws.client("wafv2").update_web_acl(**current)


def delete_waf_logging(aws: LocalAws) -> None:
    waf = aws.client("wafv2")
    arn = waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    waf.delete_logging_configuration(ResourceArn=arn)


def attribute(name: str, value: str) -> Mutation:
    """Set an attribute of the load balancer."""
    return lambda aws: aws.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=balancer(aws), Attributes=[{"Key": name, "Value": value}]
    )


def disable_rotation_rule(aws: LocalAws) -> None:
    events = aws.client("events")
    (machine,) = tagged(aws, "states", "stateMachine", Tier="service")
    (name,) = events.list_rule_names_by_target(TargetArn=machine)["RuleNames"]
    events.disable_rule(Name=name)


MUTATIONS: dict[str, Mutation] = {
    "test_tasks_are_placed_in_every_zone": tasks_are(subnets=["app-a"]),
    "test_tasks_have_no_public_address": tasks_are(public="ENABLED"),
    "test_tasks_have_their_security_group": tasks_are(groups=["load-balancer"]),
    "test_number_of_running_tasks": reduce_desired_count,
    "test_service_rebalances_zones": service_is(availabilityZoneRebalancing="DISABLED"),
    "test_failed_deployments_are_rolled_back": deployment_is(
        deploymentCircuitBreaker={"enable": False, "rollback": False}
    ),
    "test_deployments_keep_all_tasks_running": deployment_is(minimumHealthyPercent=50),
    "test_ecs_exec_is_disabled": service_is(enableExecuteCommand=True),
    "test_tasks_get_their_credential_from_the_secret": change_task_definition(change_secret),
    "test_tasks_mount_files_over_tls_and_with_iam": change_task_definition(disable_mount_encryption),
    "test_containers_have_no_capabilities": change_task_definition(drop_no_capabilities),
    "test_container_has_a_limit_of_memory": change_task_definition(limit_no_memory),
    "test_root_file_system_is_read_only": change_task_definition(allow_root_writes),
    "test_tasks_scale_within_the_settings": scaling("ecs", MinCapacity=1),
    "test_tasks_scale_by_cpu_and_requests": delete_scaling_policy("ecs"),
    "test_only_the_load_balancer_is_internet_facing": another_balancer_faces_the_internet,
    "test_load_balancer_is_in_every_public_subnet": balancer_is_in_one_zone,
    "test_load_balancer_has_its_security_group": balancer_has_another_group,
    "test_load_balancer_listens_on_443_and_80_only": balancer_listens_elsewhere,
    "test_tls_policy_of_the_listener": tls_is_old,
    "test_http_is_redirected_to_https": answer_http,
    "test_target_group_uses_tls": use_http_target_group,
    "test_enough_targets_are_healthy": task_takes_no_requests,
    "test_certificate_is_for_the_domain_and_issued": certificate_has_expired,
    "test_load_balancer_uses_the_certificate": another_certificate_is_shown,
    "test_domain_resolves_to_the_load_balancer": domain_leads_elsewhere,
    "test_load_balancer_has_the_environments_web_acl": replace_web_acl,
    "test_managed_rule_groups_block": count_managed_rules,
    "test_requests_per_client_are_limited": remove_rate_limit,
    "test_web_acl_logs_to_a_log_group_of_the_environment": delete_waf_logging,
    "test_load_balancer_logs_to_a_bucket_of_the_environment": attribute("access_logs.s3.enabled", "false"),
    "test_load_balancer_drops_invalid_headers": attribute("waf.fail_open.enabled", "true"),
    "test_deletion_protection_of_the_load_balancer": attribute("deletion_protection.enabled", "false"),
    "test_redeployment_starts_after_a_rotation": disable_rotation_rule,
}
RELATED: Related = {
    "test_number_of_running_tasks": {
        "test_service.py::test_enough_targets_are_healthy": "a task that does not run takes none",
    },
}
