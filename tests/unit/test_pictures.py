"""Pictures show exactly the synthesized platform and are legible."""

import json
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations, groupby
from operator import itemgetter
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from operations.document.pictures import matrix, overview, rotation, stacks
from operations.document.pictures.flows import Edge, flow_graph
from operations.document.pictures.svg import COLOURS, LINES, RESERVE, SMALL, fits, truncate, width, wrap
from synthesized.platform import Platform, PlatformError
from tests.policy.planted import with_added, with_changed, without
from tests.synthesized import bodies

# All expected flows: source, target, port, whether the target requires TLS.
FLOWS = {
    ("internet", "load-balancer", "443", True),
    ("internet", "load-balancer", "80", False),
    ("load-balancer", "service", "8443", True),
    ("service", "database", "5432", True),
    ("service", "cache", "6379", True),
    ("service", "files", "2049", True),
    ("service", "endpoints", "443", True),
    ("service", "secrets-endpoint", "443", True),
    ("service", "S3", "443", True),
    ("rotation", "database", "5432", True),
    ("rotation", "secrets-endpoint", "443", True),
}
EGRESS = {
    "203.0.113.0/24": "payment provider, with a description that is longer than the space in the picture",
    "198.51.100.0/24": "orders to the warehouse",
}


class Text(NamedTuple):
    """A line of text in a picture, and its position."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    colour: str


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float
    fill: str


def drawn(svg: str) -> tuple[list[Text], list[Box], list[dict[str, str]]]:
    """Texts, boxes and paths of a picture."""
    elements = list(ET.fromstring(svg))  # noqa: S314 - our own
    texts, boxes, paths = [], [], []
    for element in elements:
        tag, attributes = element.tag.rpartition("}")[2], element.attrib
        colour = re.findall(r"f-(\w+)", attributes.get("class", ""))
        if tag == "text":
            size, x, y = (float(attributes[key]) for key in ("font-size", "x", "y"))
            wide = width(element.text or "", size, bold="font-weight" in attributes)
            texts.append(Text(element.text or "", x, y - size * 0.75, x + wide, y + size * 0.22, colour[0]))
        elif tag == "rect":
            x, y = float(attributes.get("x", 0)), float(attributes.get("y", 0))
            boxes.append(Box(x, y, x + float(attributes["width"]), y + float(attributes["height"]), colour[0]))
        elif tag == "path":
            paths.append(attributes)
    return texts, boxes, paths


def words(svg: str) -> Counter[str]:
    return Counter(text.text for text in drawn(svg)[0])


def around(text: Text, boxes: list[Box]) -> Box:
    """The smallest box that contains the start of a text."""
    found = [box for box in boxes if box.left <= text.left <= box.right and box.top <= text.top <= box.bottom]
    return min(found, key=lambda box: (box.right - box.left) * (box.bottom - box.top))


@pytest.fixture(scope="module")
def wide(three_zones: Platform) -> Platform:
    """Three zones, and egress rules to ranges on the internet."""
    planted = three_zones
    for cidr, reason in EGRESS.items():
        description = f"{reason} (service to {cidr.translate(str.maketrans('./', '--'))})"
        planted = rule(planted, "egress", "service", cidr, (443, 443), cidr_ipv4=cidr, description=description)
    return planted


@pytest.fixture(scope="module", params=["prod", "dev", "staging", "wide", "more tiers"])
def shown(request: pytest.FixtureRequest, platforms: dict[str, Platform], wide: Platform) -> Platform:
    if request.param == "wide":
        return wide
    if request.param == "more tiers":
        return with_tier(with_tier(platforms["prod"], "access"), "ledger")
    return platforms[request.param]


def pictures_of(platform: Platform) -> dict[str, str]:
    return {"overview": overview.picture(platform), "matrix": matrix.picture(platform)}


@pytest.fixture(scope="module")
def pictures(shown: Platform) -> dict[str, str]:
    return pictures_of(shown)


@pytest.fixture(scope="module")
def of_prod(prod: Platform) -> dict[str, str]:
    return pictures_of(prod)


def with_tier(platform: Platform, tier: str) -> Platform:
    """The platform with an additional, unknown tier without dependencies."""
    stack = replace(platform.stacks["foundation"], tier=tier, name=f"{platform.environment}-{tier}", depends_on=())
    more = with_added(platform, tier, "aws_iam_role", "one", {"name": "one"})
    more = with_added(more, tier, "aws_iam_role", "two", {"name": "two"}) if tier == "access" else more
    return replace(more, stacks={tier: stack, **platform.stacks})


def seen(platform: Platform) -> set[tuple[str, str, str, bool]]:
    return {(flow.source, flow.target, flow.ports_text, flow.is_encrypted) for flow in flow_graph(platform).edges}


def test_the_flows_are_as_expected(platforms: dict[str, Platform]):
    for platform in platforms.values():
        assert seen(platform) == FLOWS


def test_egress_in_the_settings_is_a_flow_with_unknown_encryption(wide: Platform, three_zones: Platform):
    assert seen(wide) - seen(three_zones) == {("service", cidr, "443", False) for cidr in EGRESS}


def test_a_flow_has_the_description_of_its_rule(prod: Platform):
    reasons = {(flow.source, flow.target): flow.reason for flow in flow_graph(prod).edges}
    assert reasons["service", "database"] == "orders and catalogue"
    assert reasons["rotation", "secrets-endpoint"] == "reads and writes the credential"


GROUP = "${{aws_security_group.network_group-{}.id}}"


def rule(
    platform: Platform, direction: str, group: str, name: str, ports: tuple[int, int] | None, **arguments: Any
) -> Platform:
    """The platform with another security group rule, for a range of ports or all."""
    about = {"ip_protocol": "tcp", "from_port": ports[0], "to_port": ports[1]} if ports else {"ip_protocol": "-1"}
    body = {"security_group_id": GROUP.format(group), "description": "planted", **about, **arguments}
    return with_added(platform, "network", f"aws_vpc_security_group_{direction}_rule", name, body)


def opened(platform: Platform, source: str, target: str, ports: tuple[int, int] | None) -> Platform:
    """The platform with another flow between two security groups."""
    half = rule(platform, "egress", source, "out", ports, referenced_security_group_id=GROUP.format(target))
    return rule(half, "ingress", target, "into", ports, referenced_security_group_id=GROUP.format(source))


def test_an_added_flow_is_drawn(prod: Platform):
    more = opened(prod, "service", "rotation", (9000, 9001))
    assert seen(more) - seen(prod) == {("service", "rotation", "9000 to 9001", True)}
    assert {"9000 to 9001", "planted"} <= words(overview.picture(more)).keys()


def test_a_range_is_encrypted_only_if_the_target_accepts_only_tls_on_all_of_its_ports(prod: Platform):
    more = opened(prod, "rotation", "service", (8443, 8444))
    assert seen(more) - seen(prod) == {("rotation", "service", "8443 to 8444", False)}


def test_a_rule_that_allows_no_connection_is_not_drawn(prod: Platform):
    assert seen(rule(prod, "egress", "service", "half", (25, 25), cidr_ipv4="192.0.2.0/24")) == seen(prod)


def test_all_protocols_are_all_ports(prod: Platform):
    more = opened(prod, "rotation", "service", None)
    assert seen(more) - seen(prod) == {("rotation", "service", "0 to 65535", False)}


def test_a_connection_without_matching_rules_is_refused(prod: Platform):
    """Ranges of the VPC do not identify a target."""
    half = rule(prod, "egress", "service", "out", (22, 22), cidr_ipv4="10.0.0.0/16")
    with pytest.raises(PlatformError, match="service reaches files on 22, 2049, but security group rules allow 2049"):
        flow_graph(rule(half, "ingress", "files", "into", (22, 22), cidr_ipv4="10.0.0.0/17"))


PLAIN: list[tuple[str, str, dict[str, Any]]] = [
    ("load-balancer", "aws_lb_listener.service_https", {"protocol": "HTTP"}),
    ("service", "aws_lb_target_group.service_tasks", {"protocol": "HTTP"}),
    ("database", "aws_rds_cluster_parameter_group.database_cluster-parameters", {"parameter": []}),
    ("cache", "aws_elasticache_replication_group.cache_cache", {"transit_encryption_mode": "preferred"}),
    ("files", "aws_efs_file_system_policy.storage_policy", {"policy": json.dumps({"Statement": []})}),
]


@pytest.mark.parametrize(("target", "address", "change"), PLAIN, ids=[target for target, *_ in PLAIN])
def test_a_target_that_accepts_plaintext_has_no_lock(
    prod: Platform, of_prod: dict[str, str], target: str, address: str, change: dict[str, Any]
):
    plain = with_changed(prod, address, **change)
    assert all(not encrypted for _, into, _, encrypted in seen(plain) if into == target)
    # Unless it is plain already.
    had_lock = any(encrypted for _, into, _, encrypted in seen(prod) if into == target)
    assert (dashes(overview.picture(plain)) > dashes(of_prod["overview"])) == had_lock


def dashes(svg: str) -> int:
    return sum("stroke-dasharray" in path for path in drawn(svg)[2])


def test_every_tier_and_zone_is_shown(shown: Platform, pictures: dict[str, str]):
    text = " ".join(words(pictures["overview"]))
    for tier in shown.stacks:
        assert f"tier {tier}" in text, tier
    for subnet in shown.of_type("aws_subnet"):
        assert subnet.body["availability_zone"] in text
        assert subnet.body["cidr_block"] in text


def test_resources_of_each_zone_are_shown(wide: Platform, dev: Platform):
    texts = words(overview.picture(wide))
    assert {texts[f"us-west-2{letter}"] for letter in "abc"} == {1}
    assert {texts[f"{name}-{letter}"] for name in ("nat", "mount") for letter in "abc"} == {1}
    assert texts["writer"] == texts["reader-1"] == texts["reader-2"] == 1
    assert words(overview.picture(dev))["nat-b"] == 0


def test_data_stores_show_their_keys(prod: Platform, of_prod: dict[str, str]):
    texts = words(of_prod["overview"])
    stores = prod.of_type("aws_efs_file_system", "aws_elasticache_replication_group", "aws_rds_cluster")
    keys = Counter(prod.resolve(store.body["kms_key_id"]).name for store in stores if "kms_key_id" in store.body)
    assert keys.items() <= texts.items()
    other = with_changed(
        prod, "aws_elasticache_replication_group.cache_cache", kms_key_id="${aws_kms_key.foundation_key-logs.arn}"
    )
    assert words(overview.picture(other))["key-logs"] == 1


def test_waf_is_shown_if_it_is_associated(prod: Platform, of_prod: dict[str, str]):
    assert "ALB behind WAF, tier service" in words(of_prod["overview"])
    bare = without(prod, "aws_wafv2_web_acl_association.service_firewall-in-front")
    assert "ALB, tier service" in words(overview.picture(bare))


def test_every_flow_is_an_arrow_with_its_port_and_reason(shown: Platform, pictures: dict[str, str]):
    svg = pictures["overview"]
    flows = flow_graph(shown).edges
    heads = [path for path in drawn(svg)[2] if " l8 -4 v8 z" in path["d"]]
    assert len(heads) == len(flows)
    texts = [text.text for text in drawn(svg)[0]]
    for port, count in Counter(flow.ports_text for flow in flows).items():
        assert texts.count(port) == count
    for flow in flows:
        assert flow.reason in texts or any(
            text.endswith("…") and flow.reason.startswith(text[:-1]) for text in texts
        ), flow
    assert dashes(svg) == 1 + sum(not flow.is_encrypted for flow in flows)  # the legend's


def test_a_reason_that_is_too_long_is_in_the_description(wide: Platform):
    svg = overview.picture(wide)
    assert any(text.startswith("payment provider, ") and text.endswith("…") for text in words(svg))
    assert EGRESS["203.0.113.0/24"] in svg


def test_the_second_region_is_shown_if_there_is_one(of_prod: dict[str, str], dev: Platform):
    texts = words(of_prod["overview"])
    assert {"eu-west-2", "1 replica of files", "2 KMS keys"} <= texts.keys()
    assert "eu-west-2" not in words(overview.picture(dev))


COUNTED = {"log buckets": ("aws_s3_bucket", "foundation"), "Config rules": ("aws_config_config_rule", "audit")}


def test_resources_of_a_tier_are_counted(prod: Platform, of_prod: dict[str, str]):
    texts = words(of_prod["overview"])
    keys = [key for key in bodies(prod, "aws_kms_key", "foundation").values() if "provider" not in key]
    counts = {"KMS keys": keys, **{kind: bodies(prod, type_, tier) for kind, (type_, tier) in COUNTED.items()}}
    assert {f"{len(counted)} {kind}" for kind, counted in counts.items()} <= texts.keys()
    assert "2 IAM roles" in words(overview.picture(with_tier(without_roles(prod), "ledger")))
    unknown = with_added(with_tier(prod, "ledger"), "ledger", "aws_qldb_ledger", "book", {})
    unknown = without(unknown, "aws_iam_role.ledger_one")
    assert "1 resource" in words(overview.picture(unknown))


def without_roles(platform: Platform) -> Platform:
    """The platform without a role of recovery, so that the box of recovery has another count."""
    return without(platform, "aws_iam_role.recovery_backup")


def test_no_text_leaves_its_box_or_overlaps_another(pictures: dict[str, str]):
    for svg in pictures.values():
        texts, boxes, _ = drawn(svg)
        assert len(texts) > 30
        for text in texts:
            box = around(text, boxes)
            assert text.left + (text.right - text.left) * RESERVE <= box.right, text
            assert text.bottom <= box.bottom, text
        for one, other in combinations(texts, 2):
            apart = (
                one.right <= other.left or other.right <= one.left or one.bottom <= other.top or other.bottom <= one.top
            )
            assert apart, (one, other)


def test_no_lane_crosses_the_text_of_a_flow(pictures: dict[str, str]):
    texts, _, paths = drawn(pictures["overview"])
    uprights = [
        (float(x), *sorted((float(y), float(to))))
        for path in paths
        for x, y, to in re.findall(r"^M([\d.]+) ([\d.]+) L\1 ([\d.]+)$", path["d"])
    ]
    assert uprights
    for text in texts:
        for x, top, bottom in uprights:
            assert not (text.left < x < text.right and top < text.bottom and text.top < bottom), text


def test_lanes_do_not_overlap(pictures: dict[str, str]):
    """Otherwise the lines of two sources would look like one."""
    _, _, paths = drawn(pictures["overview"])
    found = [
        (path["class"], float(x), *sorted((float(y), float(to))))
        for path in paths
        for x, y, to in re.findall(r"^M([\d.]+) ([\d.]+) L\1 ([\d.]+)$", path["d"])
        if "ground" not in path["class"]
    ]
    for (one, x, top, bottom), (other, x2, top2, bottom2) in combinations(found, 2):
        assert one == other or x != x2 or bottom < top2 or bottom2 < top


@pytest.mark.parametrize("name", ["overview", "matrix"])
def test_pictures_have_a_title_and_description_for_screen_readers(prod: Platform, of_prod: dict[str, str], name: str):
    svg = of_prod[name]
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert root.attrib["role"] == "img"
    by_id = {element.attrib.get("id"): element.text or "" for element in root}
    assert root.attrib["aria-labelledby"].split() == ["title", "description"]
    assert by_id["title"]
    for flow in flow_graph(prod).edges:
        assert f"{flow.source} to {flow.target}" in by_id["description"]


def luminance(colour: str) -> float:
    """Relative luminance according to WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_have_enough_contrast_in_both_schemes(pictures: dict[str, str], scheme: str):
    def contrast(one: str, other: str) -> float:
        low, high = sorted(luminance(getattr(COLOURS[name], scheme)) for name in (one, other))
        return (high + 0.05) / (low + 0.05)

    pairs = {
        (text.colour, around(text, boxes).fill) for texts, boxes, _ in map(drawn, pictures.values()) for text in texts
    }
    assert {"text", "muted", *LINES[:2]} <= {text for text, _ in pairs}
    # Text: WCAG 2.2, 1.4.3; lines and frames: 1.4.11.
    assert not [pair for pair in pairs if contrast(*pair) < 4.5]
    assert not [line for line in (*LINES, "frame") for under in ("ground", "band") if contrast(line, under) < 3]


def test_both_schemes_define_every_colour(of_prod: dict[str, str]):
    for svg in of_prod.values():
        light, dark = svg.partition("<style>")[2].partition("</style>")[0].split("@media (prefers-color-scheme: dark)")
        used = set(re.findall(r"\b[fs]-\w+", " ".join(re.findall(r'class="([^"]+)"', svg))))
        for scheme in (light, dark):
            assert used <= set(re.findall(r"[fs]-\w+", scheme))
        assert all(colours.light in light and colours.dark in dark for colours in COLOURS.values())


def test_the_matrix_shows_every_flow_and_what_blocks_the_others(prod: Platform, of_prod: dict[str, str]):
    texts, boxes, paths = drawn(of_prod["matrix"])
    ports = Counter(text.text for text in texts if text.colour == "first")
    ports["443"] -= 1  # the legend's
    flows = groupby(
        sorted((flow.source, flow.target, int(flow.ports_text)) for flow in flow_graph(prod).edges), itemgetter(0, 1)
    )
    assert ports == Counter(", ".join(str(port) for *_, port in between) for _, between in flows)
    assert sum(box.fill == "cell" for box in boxes) == ports.total()
    # Expected: from the internet to seven others, and between data subnets and external or public parties.
    assert len(paths) // 2 - 1 == 7 + len(("balancer to cache", "balancer to database", "balancer to S3")) + 2 * 3


def test_the_matrix_starts_with_the_path_of_a_request(of_prod: dict[str, str]):
    texts = [text.text for text in drawn(of_prod["matrix"])[0] if text.colour == "text"]
    rows = [text for text in texts[1:] if texts.count(text) == 2]
    assert list(dict.fromkeys(rows))[:3] == ["internet", "service", "rotation"]  # a heading may have two lines


def test_the_matrix_shows_external_ranges_of_rules(wide: Platform, three_zones: Platform):
    def at_443(platform: Platform) -> int:
        return sum((text.text, text.colour) == ("443", "first") for text in drawn(matrix.picture(platform))[0])

    assert at_443(wide) == at_443(three_zones) + len(EGRESS)


def test_the_matrix_shows_connections_blocked_by_a_network_acl(prod: Platform, of_prod: dict[str, str]):
    closed = with_changed(prod, "aws_network_acl.network_acl-data", ingress=[], egress=[])
    assert len(drawn(matrix.picture(closed))[2]) > len(drawn(of_prod["matrix"])[2])


def edges(chart: str) -> set[tuple[str, str]]:
    return {(one, other) for one, other in re.findall(r"(\w+) --> (\w+)", chart)}


def test_arrows_between_stacks_are_the_transitive_reduction(shown: Platform):
    names = {stack.name: tier for tier, stack in shown.stacks.items()}
    reads = {(names[below], tier) for tier, stack in shown.stacks.items() for below in stack.depends_on}
    arrows = edges(stacks.flowchart(shown))
    assert arrows <= reads
    assert closure(arrows) == closure(reads)
    for arrow in arrows:
        assert arrow not in closure(arrows - {arrow})
    assert [line.strip() for line in stacks.flowchart(shown).splitlines()[2 : 2 + len(shown.stacks)]] == list(
        shown.stacks
    )


def closure(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while more := {(one, end) for one, middle in pairs for start, end in pairs if middle == start} - pairs:
        pairs = pairs | more
    return pairs


def test_the_table_of_stacks_lists_all_dependencies(prod: Platform):
    rows = {
        row.split(" | ")[0].strip("| "): row.strip("| \n").split(" | ") for row in stacks.table(prod).splitlines()[2:]
    }
    assert list(rows) == list(prod.stacks)
    assert set(rows["rotation"][1].split(", ")) == {"foundation", "network", "database"}


def test_the_diagram_of_the_rotation_follows_from_the_resources(prod: Platform):
    diagram = rotation.rotation(prod)
    assert diagram.startswith("```mermaid\nsequenceDiagram\n")
    assert re.findall(r"participant (\w+) as (.+)", diagram) == [
        ("S", "Secrets Manager<br/>rotation/credential"),
        ("F", "Lambda<br/>rotation/function"),
        ("W", "Aurora, writer<br/>database/cluster"),
        ("R", "Aurora, reader<br/>database/cluster"),
    ]
    assert re.findall(r"S->>F: (\w+)", diagram) == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    (schedule,) = bodies(prod, "aws_secretsmanager_secret_rotation").values()
    assert f"every {schedule['rotation_rules']['automatically_after_days']} days" in diagram
    changed = with_changed(prod, SCHEDULE, rotation_rules={"automatically_after_days": 14})
    assert "every 14 days" in rotation.rotation(changed)


def test_no_line_of_a_sequence_diagram_is_too_long(prod: Platform):
    for diagram in (rotation.rotation(prod), rotation.redeployment(prod)):
        for line in diagram.splitlines()[2:-1]:
            for part in line.partition(": ")[2].split("<br/>"):
                assert len(part) <= 50, line
                assert not {";", "#"} & set(part), line  # Mermaid treats them as line ends


def test_the_diagram_of_the_redeployment_follows_from_rule_and_states(prod: Platform):
    assert [line.strip() for line in rotation.redeployment(prod).splitlines()[2:-1]] == [
        "participant S as Secrets Manager<br/>rotation/credential",
        "participant M as Step Functions<br/>service/redeployment-workflow",
        "participant ecs as ECS<br/>service/service",
        "participant sns as SNS<br/>foundation/alarms",
        "S-->>M: Secret Label Updated: AWSCURRENT<br/>by service/credential-rotated",
        "loop IsDeploying: $count(Services[0].Deployments) > 1",
        "M->>ecs: Look: describeServices",
        "Note over M: Wait 60 s",
        "end",
        "M->>ecs: Redeploy: updateService",
        "opt a state fails",
        "M->>sns: TellFailure: publish",
        "end",
        "ecs->>S: new tasks start with the current version<br/>service/task",
    ]


TASK, MACHINE = "aws_ecs_task_definition.service_task", "aws_sfn_state_machine.service_redeployment-workflow"


def test_tasks_that_read_another_secret_are_not_shown(prod: Platform):
    other = with_changed(prod, TASK, container_definitions="[]")
    assert "new tasks" not in rotation.redeployment(other)


def machine(platform: Platform, old: str, new: str) -> Platform:
    (found,) = (each for each in platform.resources if each.address == MACHINE)
    definition = found.body["definition"]
    assert old in definition
    return with_changed(platform, MACHINE, definition=definition.replace(old, new))


def test_changed_states_change_the_diagram(prod: Platform):
    assert "Wait 90 s" in rotation.redeployment(machine(prod, '"Seconds": 60', '"Seconds": 90'))
    assert "M->>ecs: Look: listTasks" in rotation.redeployment(machine(prod, "ecs:describeServices", "ecs:listTasks"))
    with pytest.raises(PlatformError, match="in a loop"):
        rotation.redeployment(machine(prod, '"Type": "Wait"', '"Type": "Pass"'))


SCHEDULE = "aws_secretsmanager_secret_rotation.rotation_rotation-schedule"


def test_a_rotation_that_the_diagram_cannot_show_is_refused(prod: Platform):
    with pytest.raises(PlatformError, match="0 secrets are rotated"):
        rotation.rotation(without(prod, SCHEDULE))
    rules = without(prod, "aws_cloudwatch_event_target.service_credential-rotated-to-redeployment")
    with pytest.raises(PlatformError, match="no rule starts a state machine"):
        rotation.redeployment(rules)
    (function,) = prod.of_type("aws_lambda_function")
    variables = dict(function.body["environment"]["variables"])
    variables["DATABASE_READER_HOST"] = variables["DATABASE_HOST"]
    with pytest.raises(PlatformError, match="DATABASE_READER_HOST is not the reader_endpoint"):
        rotation.rotation(with_changed(prod, function.address, environment={"variables": variables}))


def test_text_is_measured_wrapped_and_shortened():
    assert width("il", 10) < width("mm", 10) < width("mm", 10, bold=True)
    assert width("漢", 10) > width("m", 10)
    assert wrap("a bb ccc", SMALL, 30) == ["a bb", "ccc"]
    assert wrap("wwwwwwwwwwww i", SMALL, 20) == ["wwwwwwwwwwww", "i"]
    assert truncate("short", SMALL, 100) == "short"
    cut = truncate("much too long for this", SMALL, 60)
    assert cut.endswith("…")
    assert fits(cut, SMALL, 60)


def test_ports_are_formatted():
    assert Edge("a", "b", (443, 443), "", is_encrypted=True).ports_text == "443"
    assert Edge("a", "b", (1, 9), "", is_encrypted=True).ports_text == "1 to 9"
