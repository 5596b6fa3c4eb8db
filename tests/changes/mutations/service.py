"""Changes for test_service.py: service, task, scaling, load balancer, certificate, firewall, redeployment."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.database import follows_nothing, scaling
from tests.changes.mutations.lookup import balancer, named, service, tagged


def service_is(**asked: Any) -> Mutation:
    """Update the service."""

    def change(aws: LocalAws) -> None:
        one = service(aws)
        aws.client("ecs").update_service(cluster=one.cluster_name, service=one.name, **asked)

    return change


def tasks_are(**asked: Any) -> Mutation:
    """Place tasks otherwise; names of subnets and security groups stand for their ids."""

    def change(aws: LocalAws) -> None:
        (one,) = aws.client("ecs").describe_services(cluster=service(aws).cluster_name, services=[service(aws).name])[
            "services"
        ]
        network = {**one["networkConfiguration"]["awsvpcConfiguration"]}
        if "subnets" in asked:
            network["subnets"] = [named(aws, "subnet", name) for name in asked["subnets"]]
        if "groups" in asked:
            network["securityGroups"] = [named(aws, "sg", name) for name in asked["groups"]]
        network["assignPublicIp"] = asked.get("public", network["assignPublicIp"])
        service_is(networkConfiguration={"awsvpcConfiguration": network})(aws)

    return change


def deployment_is(**asked: Any) -> Mutation:
    """Deploy otherwise."""
    return service_is(deploymentConfiguration=asked)


def tasks_stop(aws: LocalAws) -> None:
    """And ECS starts no other: none is desired."""
    service_is(desiredCount=1)(aws)


def task_has(change: Any) -> Mutation:
    """Change what the service runs, which AWS has no action for: a definition never changes."""

    def changed(aws: LocalAws) -> None:
        family, _, revision = service(aws).task_definition.rpartition("/")[2].partition(":")
        change(aws.backend("ecs").task_definitions[family][int(revision)])

    return changed


def login_is_elsewhere(definition: Any) -> None:
    for secret in definition.container_definitions[0]["secrets"]:
        secret["valueFrom"] = secret["valueFrom"].replace("database-credential", "another")


def mounts_in_plain(definition: Any) -> None:
    for volume in definition.volumes:
        if "efsVolumeConfiguration" in volume:
            volume["efsVolumeConfiguration"]["transitEncryption"] = "DISABLED"


def root_can_be_written(definition: Any) -> None:
    definition.container_definitions[0]["readonlyRootFilesystem"] = False


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


def plaintext_is_answered(aws: LocalAws) -> None:
    aws.client("elbv2").modify_listener(
        ListenerArn=listener(aws, 80)["ListenerArn"],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )


def tasks_are_asked_in_plain(aws: LocalAws) -> None:
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


def firewall(aws: LocalAws) -> dict[str, Any]:
    """What UpdateWebACL takes, as it is."""
    waf = aws.client("wafv2")
    arn = waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    (one,) = (acl for acl in waf.list_web_acls(Scope="REGIONAL")["WebACLs"] if acl["ARN"] == arn)
    acl = waf.get_web_acl(Name=one["Name"], Scope="REGIONAL", Id=one["Id"])
    kept = ("Name", "Id", "DefaultAction", "VisibilityConfig", "Rules", "Description")
    return {**{name: acl["WebACL"][name] for name in kept}, "Scope": "REGIONAL", "LockToken": acl["LockToken"]}


def firewall_is_elsewhere(aws: LocalAws) -> None:
    """Another one, with the same rules and log, and nobody's tags, stands in front."""
    waf, known = aws.client("wafv2"), firewall(aws)
    log = waf.get_logging_configuration(
        ResourceArn=waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    )["LoggingConfiguration"]
    kept = ("DefaultAction", "VisibilityConfig", "Rules", "Scope")
    other = waf.create_web_acl(Name="another", **{name: known[name] for name in kept})["Summary"]["ARN"]
    waf.put_logging_configuration(
        LoggingConfiguration={"ResourceArn": other, "LogDestinationConfigs": log["LogDestinationConfigs"]}
    )
    waf.associate_web_acl(WebACLArn=other, ResourceArn=balancer(aws))


def attacks_are_counted(aws: LocalAws) -> None:
    known = firewall(aws)
    for rule in known["Rules"]:
        if "ManagedRuleGroupStatement" in rule["Statement"]:
            rule["OverrideAction"] = {"Count": {}}
            break
    aws.client("wafv2").update_web_acl(**known)


def floods_are_let_in(aws: LocalAws) -> None:
    known = firewall(aws)
    known["Rules"] = [rule for rule in known["Rules"] if "RateBasedStatement" not in rule["Statement"]]
    aws.client("wafv2").update_web_acl(**known)


def firewall_logs_nothing(aws: LocalAws) -> None:
    waf = aws.client("wafv2")
    arn = waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    waf.delete_logging_configuration(ResourceArn=arn)


def attribute(name: str, value: str) -> Mutation:
    """Set an attribute of the load balancer."""
    return lambda aws: aws.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=balancer(aws), Attributes=[{"Key": name, "Value": value}]
    )


def rotations_are_not_noticed(aws: LocalAws) -> None:
    events = aws.client("events")
    (machine,) = tagged(aws, "states", "stateMachine", Tier="service")
    (name,) = events.list_rule_names_by_target(TargetArn=machine)["RuleNames"]
    events.disable_rule(Name=name)


MUTATIONS: dict[str, Mutation] = {
    "test_tasks_are_placed_in_every_zone": tasks_are(subnets=["app-a"]),
    "test_tasks_have_no_public_address": tasks_are(public="ENABLED"),
    "test_tasks_have_their_security_group": tasks_are(groups=["load-balancer"]),
    "test_as_many_tasks_run_as_the_settings_say": tasks_stop,
    "test_zones_are_balanced_again_after_one_was_lost": service_is(availabilityZoneRebalancing="DISABLED"),
    "test_a_failed_deployment_is_rolled_back": deployment_is(
        deploymentCircuitBreaker={"enable": False, "rollback": False}
    ),
    "test_a_deployment_takes_no_task_away_first": deployment_is(minimumHealthyPercent=50),
    "test_nobody_opens_a_shell_in_a_task": service_is(enableExecuteCommand=True),
    "test_tasks_get_their_login_from_the_secret": task_has(login_is_elsewhere),
    "test_tasks_mount_files_over_tls_and_with_iam": task_has(mounts_in_plain),
    "test_a_task_cannot_change_its_own_image": task_has(root_can_be_written),
    "test_tasks_are_scaled_within_the_bounds_of_the_settings": scaling("ecs", MinCapacity=1),
    "test_tasks_are_added_when_cpu_or_requests_are_many": follows_nothing("ecs"),
    "test_only_the_load_balancer_faces_the_internet": another_balancer_faces_the_internet,
    "test_the_load_balancer_is_in_the_public_subnets_of_every_zone": balancer_is_in_one_zone,
    "test_the_load_balancer_has_its_security_group": balancer_has_another_group,
    "test_customers_are_answered_on_443_and_80_alone": balancer_listens_elsewhere,
    "test_tls_of_customers_is_1_2_or_later": tls_is_old,
    "test_plaintext_is_redirected_to_tls": plaintext_is_answered,
    "test_tasks_are_reached_by_tls": tasks_are_asked_in_plain,
    "test_enough_tasks_take_requests": task_takes_no_requests,
    "test_the_certificate_is_of_the_domain_and_valid": certificate_has_expired,
    "test_the_load_balancer_shows_the_certificate": another_certificate_is_shown,
    "test_the_domain_leads_to_the_load_balancer": domain_leads_elsewhere,
    "test_requests_pass_the_firewall_first": firewall_is_elsewhere,
    "test_the_firewall_refuses_what_aws_knows_as_attacks": attacks_are_counted,
    "test_the_firewall_limits_what_one_client_may_ask": floods_are_let_in,
    "test_the_firewall_logs_to_a_group_of_ours": firewall_logs_nothing,
    "test_the_load_balancer_logs_to_a_bucket_of_ours": attribute("access_logs.s3.enabled", "false"),
    "test_the_load_balancer_passes_on_nothing_ambiguous": attribute("waf.fail_open.enabled", "true"),
    "test_the_load_balancer_is_protected_as_the_settings_say": attribute("deletion_protection.enabled", "false"),
    "test_new_tasks_are_started_after_a_rotation": rotations_are_not_noticed,
}
RELATED: Related = {
    "test_as_many_tasks_run_as_the_settings_say": {
        "test_service.py::test_enough_tasks_take_requests": "a task that does not run takes none",
    },
}
