"""What each alarm's metrics are in normal operation, and in an incident that must raise it, minute by minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice

from tests.alarm_evaluation import Timeline

GIB = 2**30

Minute = float | tuple[float, ...] | None
"""One sample, several or none."""
Pattern = Minute | list[Minute]
"""Samples of every minute; a list is repeated."""


@dataclass(frozen=True)
class Timelines:
    """Patterns of an alarm's metrics: of its only one, or by name."""

    quiet: Pattern | Mapping[str, Pattern]
    incident: Pattern | Mapping[str, Pattern]
    without_data: str = "OK"
    """State without any data: what its absence means."""


ONCE: list[Minute] = [1, *59 * [0]]
"""A single event an hour."""
CALL = Timelines(quiet=0, incident=ONCE)
# Daily, but one is completed nine hours later than the day before.
BACKUP = Timelines(quiet=[1, *(33 * 60 - 1) * [None], 1, *(15 * 60 - 1) * [None]], incident=None, without_data="ALARM")

TIMELINES = {
    "audit-bucket-policy-changes": CALL,
    "audit-console-logins-without-mfa": CALL,
    # A pipeline lacks a permission: five calls a minute. Consoles ask for what their user may not see.
    "audit-denied-calls": Timelines(quiet=[0, 6, 0, 3, 0], incident=5),
    "audit-failed-console-logins": Timelines(quiet=[0, 2, 1, *57 * [0]], incident=1),
    "audit-identity-changes": CALL,
    "audit-key-loss": CALL,
    "audit-network-acl-changes": CALL,
    "audit-root-use": CALL,
    "audit-route-changes": CALL,
    "audit-security-group-changes": CALL,
    # CloudTrail delivers every five minutes; AWS's own services call at night, too.
    "audit-trail-silent": Timelines(quiet=[*4 * [None], 40], incident=None, without_data="ALARM"),
    "cache-connections": Timelines(quiet=(300, 280, 310), incident=(300, 55_000, 310)),
    "cache-cpu": Timelines(quiet=(20, 35, 22), incident=(20, 97, 22)),
    "cache-evictions": Timelines(quiet=(0, 0, 0), incident=(0, 400, 0)),
    "cache-memory": Timelines(quiet=(60, 61, 60), incident=(60, 90, 60)),
    "cache-replication-lag": Timelines(quiet=(0.2, 0.4), incident=(0.2, 12)),
    "database-capacity": Timelines(quiet=[30, 60, 40], incident=100),
    "database-connections": Timelines(quiet=(400, 250), incident=(4500, 250)),
    "database-cpu": Timelines(quiet=(15, 40), incident=(95, 40)),
    # One in five minutes: the application tries again.
    "database-deadlocks": Timelines(quiet=[0, 0, 0, 0, 0.02], incident=0.1),
    "database-failed-logins": Timelines(quiet=[0, 1, 0, 0, 0], incident=3),
    "database-load": Timelines(quiet=(1, 5), incident=(40, 5)),
    "database-local-storage": Timelines(quiet=30 * GIB, incident=1 * GIB),
    "database-memory": Timelines(quiet=(60 * GIB, 70 * GIB), incident=(8 * GIB, 70 * GIB)),
    "database-replica-lag": Timelines(quiet=20, incident=5000),
    "network-nat-ports-a": Timelines(quiet=0, incident=30),
    "network-nat-ports-b": Timelines(quiet=0, incident=30),
    # A task that ends leaves a few answers that are no longer expected.
    "network-rejected-from-within": Timelines(quiet=[0, 8, 0, 0, 0], incident=20),
    "observability-application-errors": Timelines(quiet=[1, 0, 3, 0, 0], incident=5),
    "observability-events-lost": Timelines(quiet=0, incident=ONCE),
    "observability-workflows-failed": Timelines(quiet=None, incident=ONCE),
    "observability-workflows-timed-out": Timelines(quiet=None, incident=ONCE),
    "recovery-no-backup-database": BACKUP,
    "recovery-no-backup-files": BACKUP,
    "rotation-duration": Timelines(quiet=[(900, 4000, 2000, 1500), *59 * [None]], incident=[240_000, *59 * [None]]),
    "rotation-errors": Timelines(quiet=[(0, 0, 0, 0), *59 * [None]], incident=[(0, 0, 1), *59 * [None]]),
    "rotation-throttles": Timelines(quiet=[(0, 0, 0, 0), *59 * [None]], incident=[(0, 0, 1), *59 * [None]]),
    "service-blocked": Timelines(quiet=[30, None, 90], incident=250),
    # ACM publishes twice a day.
    "service-certificate": Timelines(quiet=[60, *719 * [None]], incident=[29, *719 * [None]]),
    "service-cpu": Timelines(quiet=(40, 70, 50, 60), incident=(95, 97, 92, 99)),
    # At night, one of two failed requests is no outage. The load balancer does not publish zeros.
    "service-errors": Timelines(
        quiet={"HTTPCode_Target_5XX_Count": [3, None, 1, None], "RequestCount": [400, 300, 2, None]},
        incident={"HTTPCode_Target_5XX_Count": 3, "RequestCount": 30},
    ),
    "service-latency": Timelines(
        quiet={
            "TargetResponseTime": [(*198 * (0.1,), 1.5, 4.0), (0.2, 9.0), None],
            "RequestCount": [200, 2, None],
        },
        incident={"TargetResponseTime": (*97 * (0.1,), 4.0, 5.0, 6.0), "RequestCount": 100},
    ),
    "service-memory": Timelines(quiet=(40, 70, 50, 60), incident=(40, 95, 50, 60)),
    "service-refused": Timelines(quiet=[None, None, 2], incident=30),
    # Before the service exists there is no data.
    "service-tasks": Timelines(quiet=[4, 4, 5], incident=3, without_data="INSUFFICIENT_DATA"),
    "service-unhealthy": Timelines(quiet=(0, 0), incident=(0, 1)),
    "storage-io-limit": Timelines(quiet=20, incident=98),
    "storage-replica-behind": Timelines(quiet=[*14 * [600], 1200], incident=8000, without_data="ALARM"),
}
"""By the alarms' names, without company and environment."""


def minutes(pattern: Pattern, length: int) -> Timeline:
    """A pattern as a timeline of a number of minutes."""
    repeated = cycle(pattern if isinstance(pattern, list) else [pattern])
    samples = (() if each is None else each if isinstance(each, tuple) else (each,) for each in repeated)
    return list(islice(samples, length))
