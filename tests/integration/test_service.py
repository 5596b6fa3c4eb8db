"""The application: tasks in every zone without public addresses, behind a firewall and a load balancer with TLS."""

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
def service(found: DeployedEnvironment) -> Response:
    cluster = only_one("ECS cluster", found.arns("ecs", "cluster"))
    arn = only_one("ECS service", found.arns("ecs", "service"))
    return only_one("ECS service", found.call("ecs", "describe_services", cluster=cluster, services=[arn])["services"])


@pytest.fixture(scope="session")
def network(service: Response) -> Response:
    """Where tasks are placed."""
    return service["networkConfiguration"]["awsvpcConfiguration"]


@pytest.fixture(scope="session")
def task(found: DeployedEnvironment, service: Response) -> Response:
    """The task definition that the service runs."""
    return found.call("ecs", "describe_task_definition", taskDefinition=service["taskDefinition"])["taskDefinition"]


@pytest.fixture(scope="session")
def container(task: Response) -> Response:
    return only_one("container", task["containerDefinitions"])


@pytest.fixture(scope="session")
def balancer(found: DeployedEnvironment) -> Response:
    balancers = found.list_own("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn")
    return only_one("load balancer", balancers)


@pytest.fixture(scope="session")
def attributes(found: DeployedEnvironment, balancer: Response) -> dict[str, str]:
    listed = found.list_all(
        "elbv2", "describe_load_balancer_attributes", "Attributes", LoadBalancerArn=balancer["LoadBalancerArn"]
    )
    return {one["Key"]: one["Value"] for one in listed}


@pytest.fixture(scope="session")
def listeners(found: DeployedEnvironment, balancer: Response) -> dict[int, Response]:
    """By port."""
    listed = found.list_all("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"])
    return {one["Port"]: one for one in listed}


@pytest.fixture(scope="session")
def targets(found: DeployedEnvironment, balancer: Response) -> Response:
    listed = found.list_all(
        "elbv2", "describe_target_groups", "TargetGroups", LoadBalancerArn=balancer["LoadBalancerArn"]
    )
    return only_one("target group", listed)


@pytest.fixture(scope="session")
def certificate(found: DeployedEnvironment) -> Response:
    arn = only_one("certificate", found.arns("acm", "certificate"))
    return found.call("acm", "describe_certificate", CertificateArn=arn)["Certificate"]


@pytest.fixture(scope="session")
def firewall(found: DeployedEnvironment, balancer: Response) -> Response:
    """The web ACL that is asked before the load balancer."""
    answer = found.call("wafv2", "get_web_acl_for_resource", ResourceArn=balancer["LoadBalancerArn"])
    return answer.get("WebACL") or {}


def test_tasks_are_placed_in_every_zone(
    service: Response, network: Response, subnets: dict[SubnetKind, dict[str, str]]
):
    expect("subnets", {service["serviceArn"]: set(network["subnets"])}, set(subnets["app"]))


def test_tasks_have_no_public_address(service: Response, network: Response):
    expect("public addresses", {service["serviceArn"]: network["assignPublicIp"]}, "DISABLED")


def test_tasks_have_their_security_group(service: Response, network: Response, groups: dict[str, str]):
    parties = [groups.get(id) for id in network["securityGroups"]]
    expect("security groups", {service["serviceArn"]: parties}, ["service"])


def test_as_many_tasks_run_as_the_settings_say(service: Response, settings: Environment):
    expect("tasks that run", {service["serviceArn"]: service["runningCount"]}, AtLeast(settings.service.minimum_tasks))


def test_zones_are_balanced_again_after_one_was_lost(service: Response):
    expect("balances zones", {service["serviceArn"]: service.get("availabilityZoneRebalancing")}, "ENABLED")


def test_a_failed_deployment_is_rolled_back(service: Response):
    deployment = service["deploymentConfiguration"]
    breaker, alarms = deployment.get("deploymentCircuitBreaker", {}), deployment.get("alarms", {})
    rolled_back = {
        name for name, way in (("breaker", breaker), ("alarms", alarms)) if way.get("enable") and way.get("rollback")
    }
    expect("rolled back by", {service["serviceArn"]: rolled_back}, {"breaker", "alarms"})


def test_a_deployment_takes_no_task_away_first(service: Response):
    least = service["deploymentConfiguration"].get("minimumHealthyPercent")
    expect("percent of tasks that stay", {service["serviceArn"]: least}, 100)


def test_nobody_opens_a_shell_in_a_task(service: Response):
    expect("ECS Exec", {service["serviceArn"]: service.get("enableExecuteCommand", False)}, False)


def test_tasks_get_their_login_from_the_secret(found: DeployedEnvironment, task: Response, container: Response):
    # An ARN, and the key within the secret's value.
    secrets = {one["name"]: one["valueFrom"].rsplit(":", 3)[:2] for one in container.get("secrets", [])}
    arn = only_one("credential of the application", found.arns("secretsmanager", "secret"))
    wanted = {f"DATABASE_{key.upper()}": [arn, key] for key in ("username", "password")}
    expect("variables from secrets", {task["taskDefinitionArn"]: secrets}, wanted)


def test_tasks_mount_files_over_tls_and_with_iam(task: Response):
    mounts = {
        volume["name"]: (
            files.get("transitEncryption"),
            files.get("authorizationConfig", {}).get("iam"),
            bool(files.get("authorizationConfig", {}).get("accessPointId")),
        )
        for volume in task.get("volumes", [])
        if (files := volume.get("efsVolumeConfiguration"))
    }
    wanted = {use.name: ("ENABLED", "ENABLED", True) for use in ACCESS_POINTS}
    expect("TLS, IAM and access point of files", {task["taskDefinitionArn"]: mounts}, wanted)


def test_a_task_cannot_change_its_own_image(task: Response, container: Response):
    read_only = (container.get("readonlyRootFilesystem"), container.get("privileged", False))
    expect("read-only, privileged", {task["taskDefinitionArn"]: read_only}, (True, False))


@pytest.fixture(scope="session")
def tasks(found: DeployedEnvironment, service: Response) -> list[Response]:
    return scaling_targets(found, "ecs:service:DesiredCount", service["serviceArn"].rpartition(":")[2])


def test_tasks_are_scaled_within_the_bounds_of_the_settings(
    service: Response, tasks: list[Response], settings: Environment
):
    wanted = settings.service
    expect_bounds(tasks, service["serviceArn"], wanted.minimum_tasks, wanted.maximum_tasks)


def test_tasks_are_added_when_cpu_or_requests_are_many(
    found: DeployedEnvironment, service: Response, tasks: list[Response], settings: Environment
):
    zones = len(settings.network.zones)
    # Percent: what the tasks of the other zones can take over, at 90, when one is lost.
    cpu = min(60, 90 * (zones - 1) // zones)
    requests = settings.service.requests_per_task
    metrics = {"ECSServiceAverageCPUUtilization": cpu, "ALBRequestCountPerTarget": requests}
    expect_policies(found, tasks, service["serviceArn"], metrics)


def test_only_the_load_balancer_faces_the_internet(found: DeployedEnvironment, balancer: Response):
    listed = found.list_all("elbv2", "describe_load_balancers", "LoadBalancers")
    of_vpc = [one for one in listed if one["VpcId"] == found.vpc["VpcId"]]
    facing = {one["LoadBalancerArn"] for one in of_vpc if one.get("Scheme") != "internal"}
    expect("faces the internet", {found.ec2("vpc", found.vpc["VpcId"]): facing}, {balancer["LoadBalancerArn"]})


def test_the_load_balancer_is_in_the_public_subnets_of_every_zone(
    balancer: Response, subnets: dict[SubnetKind, dict[str, str]]
):
    within = {zone["SubnetId"] for zone in balancer["AvailabilityZones"]}
    expect("subnets", {balancer["LoadBalancerArn"]: within}, set(subnets["public"]))


def test_the_load_balancer_has_its_security_group(balancer: Response, groups: dict[str, str]):
    parties = [groups.get(id) for id in balancer["SecurityGroups"]]
    expect("security groups", {balancer["LoadBalancerArn"]: parties}, ["load_balancer"])


def test_customers_are_answered_on_443_and_80_alone(balancer: Response, listeners: dict[int, Response]):
    protocols = {(port, listener["Protocol"]) for port, listener in listeners.items()}
    wanted = {(ports.HTTPS, "HTTPS"), (ports.HTTP, "HTTP")}
    expect("listeners", {balancer["LoadBalancerArn"]: protocols}, wanted)


def test_tls_of_customers_is_1_2_or_later(balancer: Response, listeners: dict[int, Response]):
    policy = listeners.get(ports.HTTPS, {}).get("SslPolicy")
    expect("TLS policy of 443", {balancer["LoadBalancerArn"]: policy}, TLS_POLICY)


def test_plaintext_is_redirected_to_tls(balancer: Response, listeners: dict[int, Response]):
    actions = [
        (one["Type"], one.get("RedirectConfig", {}).get("Protocol"), one.get("RedirectConfig", {}).get("Port"))
        for one in listeners.get(ports.HTTP, {}).get("DefaultActions", [])
    ]
    expect("actions of 80", {balancer["LoadBalancerArn"]: actions}, [("redirect", "HTTPS", str(ports.HTTPS))])


def test_tasks_are_reached_by_tls(targets: Response):
    reached = (targets["Protocol"], targets["Port"], targets["HealthCheckProtocol"])
    expect("protocol, port, health check", {targets["TargetGroupArn"]: reached}, ("HTTPS", ports.SERVICE, "HTTPS"))


def test_enough_tasks_take_requests(found: DeployedEnvironment, targets: Response, settings: Environment):
    arn = targets["TargetGroupArn"]
    states = found.list_all("elbv2", "describe_target_health", "TargetHealthDescriptions", TargetGroupArn=arn)
    healthy = [one["TargetHealth"]["State"] for one in states].count("healthy")
    expect("healthy tasks", {arn: healthy}, AtLeast(settings.service.minimum_tasks))


def test_the_certificate_is_of_the_domain_and_valid(certificate: Response, settings: Environment):
    told = (certificate["DomainName"], certificate["Status"])
    expect("domain and status", {certificate["CertificateArn"]: told}, (settings.service.domain, "ISSUED"))


def test_the_load_balancer_shows_the_certificate(
    balancer: Response, listeners: dict[int, Response], certificate: Response
):
    shown = [one["CertificateArn"] for one in listeners.get(ports.HTTPS, {}).get("Certificates", [])]
    expect("certificates of 443", {balancer["LoadBalancerArn"]: shown}, [certificate["CertificateArn"]])


def test_the_domain_leads_to_the_load_balancer(found: DeployedEnvironment, balancer: Response, settings: Environment):
    wanted = settings.service
    zones = found.list_all("route53", "list_hosted_zones", "HostedZones")
    public = [z for z in zones if z["Name"] == f"{wanted.hosted_zone}." and not z["Config"]["PrivateZone"]]
    zone = only_one(f"hosted zone {wanted.hosted_zone}", public)
    records = found.list_all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
    led_to = [
        one.get("AliasTarget", {}).get("DNSName", "").removesuffix(".").removeprefix("dualstack.").lower()
        for one in records
        if (one["Name"], one["Type"]) == (f"{wanted.domain}.", "A")
    ]
    expect(f"{wanted.domain} leads to", {balancer["LoadBalancerArn"]: led_to}, [balancer["DNSName"].lower()])


def test_requests_pass_the_firewall_first(balancer: Response, firewall: Response, found: DeployedEnvironment):
    arn = firewall.get("ARN", "")
    listed = found.call("wafv2", "list_tags_for_resource", ResourceARN=arn) if arn else {}
    tags = {tag["Key"]: tag["Value"] for tag in listed.get("TagInfoForResource", {}).get("TagList", [])}
    own = tags.items() >= found.expected_tags.items()
    expect("has a firewall of ours in front", {balancer["LoadBalancerArn"]: own}, True)


def test_the_firewall_refuses_what_aws_knows_as_attacks(balancer: Response, firewall: Response, settings: Environment):
    blocking = {group for group, counting in rule_groups(firewall).items() if not counting}
    # Where the settings name paths for large bodies, another rule refuses them elsewhere.
    large = {LARGE_BODY_RULE} if settings.service.large_bodies else set[str]()
    blocking |= {group for group, counting in rule_groups(firewall).items() if counting and counting <= large}
    expect(
        "groups of rules that refuse",
        {arn_of(firewall, balancer): blocking},
        {group for _, group in MANAGED_RULE_GROUPS},
    )


def rule_groups(firewall: Response) -> dict[str, set[str]]:
    """AWS's groups of rules, each with the rules in it that only count."""
    groups: dict[str, set[str]] = {}
    for rule in firewall.get("Rules", []):
        if group := rule["Statement"].get("ManagedRuleGroupStatement"):
            overridden = {one["Name"] for one in group.get("RuleActionOverrides", [])}
            excluded = {one["Name"] for one in group.get("ExcludedRules", [])}
            all_count = {"all"} if "Count" in rule.get("OverrideAction", {}) else set[str]()
            groups[group["Name"]] = overridden | excluded | all_count
    return groups


def test_the_firewall_limits_what_one_client_may_ask(balancer: Response, firewall: Response, settings: Environment):
    limits = [
        rule["Statement"]["RateBasedStatement"]["Limit"]
        for rule in firewall.get("Rules", [])
        if "RateBasedStatement" in rule["Statement"] and "Block" in rule.get("Action", {})
    ]
    expect("requests in five minutes", {arn_of(firewall, balancer): limits}, [settings.service.requests_per_client])


def test_the_firewall_logs_to_a_group_of_ours(found: DeployedEnvironment, balancer: Response, firewall: Response):
    arn = arn_of(firewall, balancer)
    refusal = found.error_code("wafv2", "get_logging_configuration", ResourceArn=arn)
    logging: Response = {}
    if not refusal:
        logging = found.call("wafv2", "get_logging_configuration", ResourceArn=arn)["LoggingConfiguration"]
    destinations = [one.removesuffix(":*") in found.tags for one in logging.get("LogDestinationConfigs", [])]
    expect("logs to groups of this environment", {arn: destinations}, [True])


def arn_of(firewall: Response, balancer: Response) -> str:
    return firewall.get("ARN") or f"{balancer['LoadBalancerArn']} without a firewall"


def test_the_load_balancer_logs_to_a_bucket_of_ours(
    found: DeployedEnvironment, balancer: Response, attributes: dict[str, str]
):
    logged: dict[str, Any] = {
        kind: attributes.get(f"{kind}_logs.s3.enabled") == "true"
        and f"arn:aws:s3:::{attributes.get(f'{kind}_logs.s3.bucket')}" in found.tags
        for kind in ("access", "connection")
    }
    expect("logs", {balancer["LoadBalancerArn"]: logged}, {"access": True, "connection": True})


def test_the_load_balancer_passes_on_nothing_ambiguous(balancer: Response, attributes: dict[str, str]):
    names = ("routing.http.drop_invalid_header_fields.enabled", "waf.fail_open.enabled")
    expect("attributes", {balancer["LoadBalancerArn"]: tuple(map(attributes.get, names))}, ("true", "false"))


def test_the_load_balancer_is_protected_as_the_settings_say(
    balancer: Response, attributes: dict[str, str], settings: Environment
):
    protected = attributes.get("deletion_protection.enabled")
    expect("is protected", {balancer["LoadBalancerArn"]: protected}, str(settings.deletion_protection).lower())


def test_new_tasks_are_started_after_a_rotation(found: DeployedEnvironment):
    machines = found.arns("states", "stateMachine")
    states = {
        f"{machine} by {name}": found.call("events", "describe_rule", Name=name)["State"]
        for machine in machines
        for name in found.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=machine)
    }
    expect("rule", states, "ENABLED")
