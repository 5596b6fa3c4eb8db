"""PCI DSS 4: encryption in transit."""

from collections.abc import Iterable
from typing import Any

from synthesized.catalogue.table import ALL_ROWS, CATALOGUE, row_of
from synthesized.controls.control import (
    IS_SET,
    Control,
    Every,
    Mutation,
    Relation,
    Removal,
    Replacement,
    Value,
    one_of,
    referring_to,
)
from synthesized.controls.document import Document

FILES = "aws_efs_file_system_policy"
RESOURCE_POLICIES = sorted(type_ for type_, row in ALL_ROWS.items() if row.denied_without_tls and type_ != FILES)
TLS = Value("a policy of TLS 1.2 and 1.3", lambda policy: str(policy).startswith("ELBSecurityPolicy-TLS13-1-2-"))


def denies(type_: str, sid: str, variable: str, test: str, values: Any, action: str) -> Every:
    """Every resource policy of a type denies an action to all principals under a condition."""
    statement = f"policy.statement[sid={sid}]"
    condition = f"{statement}.condition[variable={variable}]"
    return Every(
        type_,
        {
            f"{statement}.effect": "Deny",
            f"{statement}.principals.identifiers": ["*"],
            f"{statement}.actions": Value(f"with `{action}`", lambda actions: action in (actions or ())),
            f"{condition}.test": test,
            f"{condition}.values": values,
        },
    )


def denies_plaintext(type_: str) -> Every:
    """Every resource policy of a type denies requests without TLS."""
    action = row_of(type_).denied_without_tls
    return denies(type_, "DenyPlaintext", "aws:SecureTransport", "Bool", ["false"], action)


def _accepting_plaintext(document: Document) -> Iterable[str]:
    for type_ in RESOURCE_POLICIES:
        if document.of_type(type_):
            yield from denies_plaintext(type_)(document)


def weakened_deny(type_: str, sid: str) -> list[Mutation]:
    """Mutations of a Deny statement: its effect, principals, actions and condition."""
    return [
        Replacement(type_, f"policy.statement[sid={sid}].effect", "Allow"),
        Replacement(type_, f"policy.statement[sid={sid}].principals.identifiers", ["arn:aws:iam::111122223333:role/x"]),
        Replacement(type_, f"policy.statement[sid={sid}].actions", []),
        Replacement(type_, f"policy.statement[sid={sid}].condition", None),
    ]


CONTROLS = (
    Control(
        name="tls-to-customers",
        requirements=("4.2.1",),
        summary="Customers are served over TLS 1.2 or 1.3; HTTP is redirected permanently.",
        checks=[
            Every("aws_lb_listener", {"protocol": one_of("HTTPS", "HTTP")}),
            Every("aws_lb_listener", {"ssl_policy": TLS, "certificate_arn": IS_SET}, where={"protocol": "HTTPS"}),
            Every(
                "aws_lb_listener",
                {
                    "default_action.type": "redirect",
                    "default_action.redirect.protocol": "HTTPS",
                    "default_action.redirect.status_code": "HTTP_301",
                },
                where={"protocol": "HTTP"},
            ),
        ],
        mutations=[
            Replacement("aws_lb_listener.service_https", "ssl_policy", "ELBSecurityPolicy-2016-08"),
            Replacement("aws_lb_listener.service_https", "certificate_arn", None),
            Replacement("aws_lb_listener.service_http", "protocol", "TCP"),
            Replacement("aws_lb_listener.service_http", "default_action.type", "forward"),
            Replacement("aws_lb_listener.service_http", "default_action.redirect.protocol", "HTTP"),
            Replacement("aws_lb_listener.service_http", "default_action.redirect.status_code", "HTTP_302"),
        ],
    ),
    Control(
        name="tls-to-tasks",
        requirements=("4.2.1",),
        summary="The load balancer connects to tasks over TLS.",
        checks=[Every("aws_lb_target_group", {"protocol": "HTTPS", "health_check.protocol": "HTTPS"})],
        mutations=[
            Replacement("aws_lb_target_group", "protocol", "HTTP"),
            Replacement("aws_lb_target_group", "health_check.protocol", "HTTP"),
        ],
    ),
    Control(
        name="tls-to-database",
        requirements=("4.2.1",),
        summary="The database requires TLS 1.2 or later. The rotation function verifies its certificate, and "
        "[the application's contract](application.md) requires the same of the image.",
        checks=[
            Every(
                "aws_rds_cluster_parameter_group",
                {
                    "parameter[name=rds.force_ssl].value": "1",
                    "parameter[name=ssl_min_protocol_version].value": one_of("TLSv1.2", "TLSv1.3"),
                },
            ),
            Every(
                "aws_rds_cluster", {"db_cluster_parameter_group_name": referring_to("aws_rds_cluster_parameter_group")}
            ),
        ],
        mutations=[
            Replacement("aws_rds_cluster_parameter_group", "parameter[name=rds.force_ssl].value", "0"),
            Replacement("aws_rds_cluster_parameter_group", "parameter[name=ssl_min_protocol_version].value", "TLSv1.1"),
            Replacement("aws_rds_cluster", "db_cluster_parameter_group_name", "default.aurora-postgresql17"),
        ],
    ),
    Control(
        name="tls-to-cache",
        requirements=("4.2.1",),
        summary="The cache requires TLS.",
        checks=[
            Every(
                "aws_elasticache_replication_group",
                {"transit_encryption_enabled": True, "transit_encryption_mode": "required"},
            )
        ],
        mutations=[
            Replacement("aws_elasticache_replication_group", "transit_encryption_enabled", False),
            Replacement("aws_elasticache_replication_group", "transit_encryption_mode", "preferred"),
        ],
    ),
    Control(
        name="tls-to-files",
        requirements=("4.2.1",),
        summary="Tasks mount files over TLS, and the file system policy denies everything else.",
        checks=[
            Every(
                "aws_ecs_task_definition",
                {"volume.efs_volume_configuration.transit_encryption": "ENABLED"},
            ),
            denies_plaintext(FILES),
        ],
        mutations=[
            Replacement(
                "aws_ecs_task_definition",
                "volume[name=uploads].efs_volume_configuration.transit_encryption",
                "DISABLED",
            ),
            *weakened_deny(FILES, "DenyPlaintext"),
        ],
    ),
    Control(
        name="tls-to-services",
        requirements=("4.2.1", "3.5.1"),
        summary="Log buckets require TLS 1.2 or later; the secret, the topic and others require TLS.",
        checks=[
            Relation(
                "each policy denies all principals requests without TLS: "
                + ", ".join(f"`{type_}`" for type_ in RESOURCE_POLICIES),
                _accepting_plaintext,
            ),
            denies("aws_s3_bucket_policy", "DenyOldTls", "s3:TlsVersion", "NumericLessThan", ["1.2"], "s3:*"),
        ],
        mutations=[
            *(
                mutation
                for type_ in RESOURCE_POLICIES
                if type_ in CATALOGUE
                for mutation in weakened_deny(type_, "DenyPlaintext")
            ),
            *weakened_deny("aws_s3_bucket_policy", "DenyOldTls"),
        ],
    ),
    Control(
        name="certificate",
        requirements=("4.2.1.1",),
        summary="ACM issues and renews the certificate, with a strong key. An alarm reports one that is about to "
        "expire.",
        checks=[
            Every(
                "aws_acm_certificate",
                {
                    "validation_method": "DNS",
                    "key_algorithm": one_of("EC_prime256v1", "EC_secp384r1", "RSA_2048", "RSA_3072", "RSA_4096"),
                    "lifecycle.create_before_destroy": True,
                },
            ),
            Every(
                "aws_cloudwatch_metric_alarm",
                {
                    "comparison_operator": "LessThanOrEqualToThreshold",
                    "threshold": Value("14 to 60", lambda days: 14 <= days <= 60),
                },
                where={"namespace": "AWS/CertificateManager", "metric_name": "DaysToExpiry"},
            ),
        ],
        mutations=[
            Replacement("aws_acm_certificate", "validation_method", "EMAIL"),
            Replacement("aws_acm_certificate", "key_algorithm", "RSA_1024"),
            Replacement("aws_acm_certificate", "lifecycle.create_before_destroy", False),
            Replacement("aws_cloudwatch_metric_alarm.service_alarm-certificate", "threshold", 0),
            Removal("aws_cloudwatch_metric_alarm.service_alarm-certificate", "certificate expiry has no alarm"),
        ],
    ),
)
