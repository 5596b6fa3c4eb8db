"""The application: ECS service and tasks, load balancer, certificate, DNS, WAF, and redeployment."""

import json
from typing import Any

import pytest

from stacks.network.subnets import SubnetKind
from stacks.parts import ports
from stacks.service.load_balancer import TLS_POLICY
from stacks.service.waf import LARGE_BODY_RULE, MANAGED_RULE_GROUPS
from stacks.settings import Environment
from stacks.storage.stack import ACCESS_POINTS
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import AtLeast, expect
from tests.integration.scaling import expect_bounds, expect_policies, scaling_targets


@pytest.fixture(scope="session")
def service(deployed: DeployedEnvironment) -> Response:
    cluster = only_one("ECS cluster", deployed.arns("ecs", "cluster"))
    arn = only_one("ECS service", deployed.arns("ecs", "service"))
    return only_one(
        "ECS service", deployed.call("ecs", "describe_services", cluster=cluster, services=[arn])["services"]
    )


@pytest.fixture(scope="session")
def network_configuration(service: Response) -> Response:
    """Network configuration of the service."""
    return service["networkConfiguration"]["awsvpcConfiguration"]


@pytest.fixture(scope="session")
def task_definition(deployed: DeployedEnvironment, service: Response) -> Response:
    """The task definition of the service."""
    return deployed.call("ecs", "describe_task_definition", taskDefinition=service["taskDefinition"])["taskDefinition"]


@pytest.fixture(scope="session")
def container(task_definition: Response) -> Response:
    return only_one("container", task_definition["containerDefinitions"])


@pytest.fixture(scope="session")
def balancer_attributes(deployed: DeployedEnvironment, balancer: Response) -> dict[str, str]:
    listed = deployed.list_all(
        "elbv2", "describe_load_balancer_attributes", "Attributes", LoadBalancerArn=balancer["LoadBalancerArn"]
    )
    return {one["Key"]: one["Value"] for one in listed}


@pytest.fixture(scope="session")
def listeners(deployed: DeployedEnvironment, balancer: Response) -> dict[int, Response]:
    """Listeners by port."""
    listed = deployed.list_all("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"])
    return {one["Port"]: one for one in listed}


@pytest.fixture(scope="session")
def target_group(deployed: DeployedEnvironment, balancer: Response) -> Response:
    listed = deployed.list_all(
        "elbv2", "describe_target_groups", "TargetGroups", LoadBalancerArn=balancer["LoadBalancerArn"]
    )
    return only_one("target group", listed)


@pytest.fixture(scope="session")
def certificate(deployed: DeployedEnvironment) -> Response:
    arn = only_one("certificate", deployed.arns("acm", "certificate"))
    return deployed.call("acm", "describe_certificate", CertificateArn=arn)["Certificate"]


@pytest.fixture(scope="session")
def web_acl(deployed: DeployedEnvironment, balancer: Response) -> Response:
    """The web ACL of the load balancer."""
    response = deployed.call("wafv2", "get_web_acl_for_resource", ResourceArn=balancer["LoadBalancerArn"])
    return response.get("WebACL") or {}


def test_tasks_are_placed_in_every_zone(
    service: Response, network_configuration: Response, subnets: dict[SubnetKind, dict[str, str]]
):
    expect("subnets", {service["serviceArn"]: set(network_configuration["subnets"])}, set(subnets["app"]))


def test_tasks_have_no_public_address(service: Response, network_configuration: Response):
    expect("public addresses", {service["serviceArn"]: network_configuration["assignPublicIp"]}, "DISABLED")


def test_tasks_have_their_security_group(service: Response, network_configuration: Response, groups: dict[str, str]):
    parties = [groups.get(id) for id in network_configuration["securityGroups"]]
    expect("security groups", {service["serviceArn"]: parties}, ["service"])


def test_number_of_running_tasks(service: Response, settings: Environment):
    expect("running tasks", {service["serviceArn"]: service["runningCount"]}, AtLeast(settings.service.minimum_tasks))


def test_service_rebalances_zones(service: Response):
    expect("zone rebalancing", {service["serviceArn"]: service.get("availabilityZoneRebalancing")}, "ENABLED")


def test_failed_deployments_are_rolled_back(service: Response):
    deployment = service["deploymentConfiguration"]
    breaker, alarms = deployment.get("deploymentCircuitBreaker", {}), deployment.get("alarms", {})
    rolled_back = {
        name for name, way in (("breaker", breaker), ("alarms", alarms)) if way.get("enable") and way.get("rollback")
    }
    expect("rolled back by", {service["serviceArn"]: rolled_back}, {"breaker", "alarms"})


def test_deployments_keep_all_tasks_running(service: Response):
    least = service["deploymentConfiguration"].get("minimumHealthyPercent")
    expect("minimum healthy percent", {service["serviceArn"]: least}, 100)


def test_ecs_exec_is_disabled(service: Response):
    expect("ECS Exec", {service["serviceArn"]: service.get("enableExecuteCommand", False)}, False)


def test_tasks_get_their_credential_from_the_secret(
    deployed: DeployedEnvironment, task_definition: Response, container: Response
):
    # valueFrom is <ARN>:<key>:<version stage>:<version ID>.
    secrets = {one["name"]: one["valueFrom"].rsplit(":", 3)[:2] for one in container.get("secrets", [])}
    arn = only_one("credential of the application", deployed.arns("secretsmanager", "secret"))
    wanted = {f"DATABASE_{key.upper()}": [arn, key] for key in ("username", "password")}
    expect("variables from secrets", {task_definition["taskDefinitionArn"]: secrets}, wanted)


def test_tasks_mount_files_over_tls_and_with_iam(task_definition: Response):
    mounts = {
        volume["name"]: (
            files.get("transitEncryption"),
            files.get("authorizationConfig", {}).get("iam"),
            bool(files.get("authorizationConfig", {}).get("accessPointId")),
        )
        for volume in task_definition.get("volumes", [])
        if (files := volume.get("efsVolumeConfiguration"))
    }
    wanted = {use.name: ("ENABLED", "ENABLED", True) for use in ACCESS_POINTS}
    expect("TLS, IAM and access point of files", {task_definition["taskDefinitionArn"]: mounts}, wanted)


def test_containers_have_no_capabilities(task_definition: Response, container: Response):
    # Without the empty list, every plan would replace the task definition.
    capabilities = container.get("linuxParameters", {}).get("capabilities")
    expect("capabilities", {task_definition["taskDefinitionArn"]: capabilities}, {"add": [], "drop": ["ALL"]})


def test_container_has_a_memory_limit(task_definition: Response, container: Response, settings: Environment):
    expect("MiB of memory", {task_definition["taskDefinitionArn"]: container.get("memory")}, settings.service.memory)


def test_root_file_system_is_read_only(task_definition: Response, container: Response):
    is_read_only = container.get("readonlyRootFilesystem")
    expect("root file system is read-only", {task_definition["taskDefinitionArn"]: is_read_only}, True)


def test_container_is_not_privileged(task_definition: Response, container: Response):
    is_privileged = container.get("privileged", False)
    expect("is privileged", {task_definition["taskDefinitionArn"]: is_privileged}, False)


@pytest.fixture(scope="session")
def task_scaling_targets(deployed: DeployedEnvironment, service: Response) -> list[Response]:
    return scaling_targets(deployed, "ecs:service:DesiredCount", service["serviceArn"].rpartition(":")[2])


def test_tasks_scale_within_the_settings(
    service: Response, task_scaling_targets: list[Response], settings: Environment
):
    wanted = settings.service
    expect_bounds(task_scaling_targets, service["serviceArn"], wanted.minimum_tasks, wanted.maximum_tasks)


def test_tasks_scale_by_cpu_and_requests(
    deployed: DeployedEnvironment, service: Response, task_scaling_targets: list[Response], settings: Environment
):
    zones = len(settings.network.zones)
    # At most 90 percent in the remaining zones if one is lost.
    cpu = min(60, 90 * (zones - 1) // zones)
    requests = settings.service.requests_per_task
    metrics = {"ECSServiceAverageCPUUtilization": cpu, "ALBRequestCountPerTarget": requests}
    expect_policies(deployed, task_scaling_targets, service["serviceArn"], metrics)


def test_only_the_load_balancer_is_internet_facing(deployed: DeployedEnvironment, balancer: Response):
    listed = deployed.list_all("elbv2", "describe_load_balancers", "LoadBalancers")
    of_vpc = [one for one in listed if one["VpcId"] == deployed.vpc["VpcId"]]
    internet_facing = {one["LoadBalancerArn"] for one in of_vpc if one.get("Scheme") != "internal"}
    expect(
        "internet-facing", {deployed.ec2("vpc", deployed.vpc["VpcId"]): internet_facing}, {balancer["LoadBalancerArn"]}
    )


def test_load_balancer_is_in_every_public_subnet(balancer: Response, subnets: dict[SubnetKind, dict[str, str]]):
    balancer_subnets = {zone["SubnetId"] for zone in balancer["AvailabilityZones"]}
    expect("subnets", {balancer["LoadBalancerArn"]: balancer_subnets}, set(subnets["public"]))


def test_load_balancer_has_its_security_group(balancer: Response, groups: dict[str, str]):
    parties = [groups.get(id) for id in balancer["SecurityGroups"]]
    expect("security groups", {balancer["LoadBalancerArn"]: parties}, ["load_balancer"])


def test_load_balancer_listens_on_443_and_80_only(balancer: Response, listeners: dict[int, Response]):
    protocols = {(port, listener["Protocol"]) for port, listener in listeners.items()}
    wanted = {(ports.HTTPS, "HTTPS"), (ports.HTTP, "HTTP")}
    expect("listeners", {balancer["LoadBalancerArn"]: protocols}, wanted)


def test_tls_policy_of_the_listener(balancer: Response, listeners: dict[int, Response]):
    policy = listeners.get(ports.HTTPS, {}).get("SslPolicy")
    expect("TLS policy of 443", {balancer["LoadBalancerArn"]: policy}, TLS_POLICY)


def test_http_is_redirected_to_https(balancer: Response, listeners: dict[int, Response]):
    actions = [
        (one["Type"], one.get("RedirectConfig", {}).get("Protocol"), one.get("RedirectConfig", {}).get("Port"))
        for one in listeners.get(ports.HTTP, {}).get("DefaultActions", [])
    ]
    expect("actions of 80", {balancer["LoadBalancerArn"]: actions}, [("redirect", "HTTPS", str(ports.HTTPS))])


def test_target_group_uses_tls(target_group: Response):
    protocols = (target_group["Protocol"], target_group["Port"], target_group["HealthCheckProtocol"])
    expect(
        "protocol, port, health check", {target_group["TargetGroupArn"]: protocols}, ("HTTPS", ports.SERVICE, "HTTPS")
    )


def test_enough_targets_are_healthy(deployed: DeployedEnvironment, target_group: Response, settings: Environment):
    arn = target_group["TargetGroupArn"]
    states = deployed.list_all("elbv2", "describe_target_health", "TargetHealthDescriptions", TargetGroupArn=arn)
    healthy = [one["TargetHealth"]["State"] for one in states].count("healthy")
    expect("healthy targets", {arn: healthy}, AtLeast(settings.service.minimum_tasks))


def test_certificate_is_for_the_domain_and_issued(certificate: Response, settings: Environment):
    state = (certificate["DomainName"], certificate["Status"])
    expect("domain and status", {certificate["CertificateArn"]: state}, (settings.service.domain, "ISSUED"))


def test_load_balancer_uses_the_certificate(balancer: Response, listeners: dict[int, Response], certificate: Response):
    certificates = [one["CertificateArn"] for one in listeners.get(ports.HTTPS, {}).get("Certificates", [])]
    expect("certificates of 443", {balancer["LoadBalancerArn"]: certificates}, [certificate["CertificateArn"]])


def test_domain_resolves_to_the_load_balancer(deployed: DeployedEnvironment, balancer: Response, settings: Environment):
    wanted = settings.service
    zones = deployed.list_all("route53", "list_hosted_zones", "HostedZones")
    public = [z for z in zones if z["Name"] == f"{wanted.hosted_zone}." and not z["Config"]["PrivateZone"]]
    zone = only_one(f"hosted zone {wanted.hosted_zone}", public)
    records = deployed.list_all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
    alias_targets = [
        one.get("AliasTarget", {}).get("DNSName", "").removesuffix(".").removeprefix("dualstack.").lower()
        for one in records
        if (one["Name"], one["Type"]) == (f"{wanted.domain}.", "A")
    ]
    expect(
        f"alias target of {wanted.domain}", {balancer["LoadBalancerArn"]: alias_targets}, [balancer["DNSName"].lower()]
    )


def test_load_balancer_has_the_environments_web_acl(
    balancer: Response, web_acl: Response, deployed: DeployedEnvironment
):
    arn = web_acl.get("ARN", "")
    listed = deployed.call("wafv2", "list_tags_for_resource", ResourceARN=arn) if arn else {}
    tags = {tag["Key"]: tag["Value"] for tag in listed.get("TagInfoForResource", {}).get("TagList", [])}
    own = tags.items() >= deployed.expected_tags.items()
    expect("has a web ACL of the environment", {balancer["LoadBalancerArn"]: own}, True)


def test_managed_rule_groups_block(balancer: Response, web_acl: Response, settings: Environment):
    # If the settings allow large bodies on some paths, another rule blocks them elsewhere.
    large = {LARGE_BODY_RULE} if settings.service.large_bodies else set[str]()
    blocking = {group for group, not_blocking in rule_groups(web_acl).items() if not_blocking <= large}
    expect(
        "rule groups that block",
        {arn_of(web_acl, balancer): blocking},
        {("AWS", group) for _, group in MANAGED_RULE_GROUPS},
    )


def rule_groups(web_acl: Response) -> dict[tuple[str, str], set[str]]:
    """Managed rule groups by vendor and name, each with its rules that do not block."""
    groups: dict[tuple[str, str], set[str]] = {}
    for rule in web_acl.get("Rules", []):
        if group := rule["Statement"].get("ManagedRuleGroupStatement"):
            overrides = group.get("RuleActionOverrides", [])
            # Allow, Captcha and Challenge do not block, either.
            overridden = {one["Name"] for one in overrides if "Block" not in one["ActionToUse"]}
            excluded = {one["Name"] for one in group.get("ExcludedRules", [])}
            all_count = {"all"} if "Count" in rule.get("OverrideAction", {}) else set[str]()
            groups[group["VendorName"], group["Name"]] = overridden | excluded | all_count
    return groups


def test_requests_per_client_are_limited(balancer: Response, web_acl: Response, settings: Environment):
    limits = [
        rule["Statement"]["RateBasedStatement"]["Limit"]
        for rule in web_acl.get("Rules", [])
        if "RateBasedStatement" in rule["Statement"] and "Block" in rule.get("Action", {})
    ]
    expect("requests per five minutes", {arn_of(web_acl, balancer): limits}, [settings.service.requests_per_client])


def test_web_acl_logs_to_a_log_group_of_the_environment(
    deployed: DeployedEnvironment, balancer: Response, web_acl: Response
):
    arn = arn_of(web_acl, balancer)
    refusal = deployed.error_code("wafv2", "get_logging_configuration", ResourceArn=arn)
    logging: Response = {}
    if not refusal:
        logging = deployed.call("wafv2", "get_logging_configuration", ResourceArn=arn)["LoggingConfiguration"]
    destinations = [one.removesuffix(":*") in deployed.tags for one in logging.get("LogDestinationConfigs", [])]
    expect("logs to groups of this environment", {arn: destinations}, [True])


def arn_of(web_acl: Response, balancer: Response) -> str:
    return web_acl.get("ARN") or f"{balancer['LoadBalancerArn']} without a web ACL"


def test_load_balancer_logs_to_a_bucket_of_the_environment(
    deployed: DeployedEnvironment, balancer: Response, balancer_attributes: dict[str, str]
):
    logged: dict[str, Any] = {
        kind: balancer_attributes.get(f"{kind}_logs.s3.enabled") == "true"
        and f"arn:aws:s3:::{balancer_attributes.get(f'{kind}_logs.s3.bucket')}" in deployed.tags
        for kind in ("access", "connection")
    }
    expect("logs", {balancer["LoadBalancerArn"]: logged}, {"access": True, "connection": True})


def test_load_balancer_drops_invalid_headers(balancer: Response, balancer_attributes: dict[str, str]):
    drops = balancer_attributes.get("routing.http.drop_invalid_header_fields.enabled")
    expect("drops invalid headers", {balancer["LoadBalancerArn"]: drops}, "true")


def test_requests_are_refused_while_waf_is_unavailable(balancer: Response, balancer_attributes: dict[str, str]):
    fails_open = balancer_attributes.get("waf.fail_open.enabled")
    expect("fails open", {balancer["LoadBalancerArn"]: fails_open}, "false")


def test_deletion_protection_of_the_load_balancer(
    balancer: Response, balancer_attributes: dict[str, str], settings: Environment
):
    protected = balancer_attributes.get("deletion_protection.enabled")
    expect("is protected", {balancer["LoadBalancerArn"]: protected}, str(settings.deletion_protection).lower())


def test_redeployment_starts_after_a_rotation(deployed: DeployedEnvironment):
    pattern = {
        "source": ["aws.secretsmanager"],
        "detail-type": ["Secret Label Updated"],
        "resources": [only_one("credential of the application", deployed.arns("secretsmanager", "secret"))],
        "detail": {"labelUpdated": ["AWSCURRENT"]},
    }
    rules = {
        f"{machine} by {name}": (rule["State"], json.loads(rule["EventPattern"]))
        for machine in deployed.arns("states", "stateMachine")
        for name in deployed.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=machine)
        for rule in [deployed.call("events", "describe_rule", Name=name)]
    }
    expect("state and pattern of the rule", rules, ("ENABLED", pattern))
