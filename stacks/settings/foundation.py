"""Settings of the foundation tier: key administrators, alarm subscriptions, URL of the runbooks."""

from typing import Annotated, Literal, Self

from pydantic import field_validator, model_validator

from stacks.settings.section import Derived, InOwnAccount, InProduction, Matching, Section

ROLE = Matching(
    r"arn:aws:iam::\d{12}:role/(?:[\w+=,.@-]+/)*[\w+=,.@-]+", "the ARN of a role, arn:aws:iam::<account>:role/<name>"
)
RoleArn = Annotated[str, ROLE, InOwnAccount("roles")]

ENDPOINTS = {
    "email": Matching(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "an e-mail address"),
    "https": Matching(r"https://[\w.~:/?#@!&()*+,;=%-]+", "an https:// URL"),
}


class AlarmSubscription(Section):
    """A subscription to the alarm topic. Its receiver must confirm it once: with the link in an e-mail, or as
    the paging service does."""

    protocol: Literal["email", "https"]
    """`email` for people, `https` for a paging service."""
    endpoint: str
    """The e-mail address, or the URL that SNS posts to."""

    @model_validator(mode="after")
    def _endpoint_fits_protocol(self) -> Self:
        ENDPOINTS[self.protocol].check(self.endpoint)
        return self


class FoundationSettings(Section):
    """Keys, log buckets, alarm topic, image repository."""

    key_administrators: Annotated[
        tuple[RoleArn, ...],
        Derived("the role that `bootstrap` creates, `<company>-<environment>-key-administrators`"),
    ]
    """Roles that may manage the KMS keys, but not decrypt with them (separation of duties)."""

    alarm_subscriptions: Annotated[
        tuple[AlarmSubscription, ...], InProduction("somebody must receive alarms (PCI DSS 12.10.1)", at_least=1)
    ] = ()
    """Who receives alarms and events."""

    runbooks: Annotated[
        str,
        # It is embedded in JSON, JSONata and Terraform strings, and in alarm descriptions of 1,024 characters at most.
        Matching(r"https://[\w.~:/?@&=+%-]{1,246}[\w-]", "an https:// URL, 255 characters at most, no trailing slash"),
    ]
    """URL of `docs/runbooks` in your fork. Every alarm and event ends with the link to its section there."""

    @field_validator("key_administrators")
    @classmethod
    def _are_distinct_and_not_empty(cls, administrators: tuple[str, ...]) -> tuple[str, ...]:
        if not administrators or len(set(administrators)) < len(administrators):
            raise ValueError("allowed: one or more roles, each once")
        return administrators

    @field_validator("alarm_subscriptions")
    @classmethod
    def _are_distinct(cls, subscriptions: tuple[AlarmSubscription, ...]) -> tuple[AlarmSubscription, ...]:
        if len(set(subscriptions)) < len(subscriptions):
            raise ValueError("allowed: each subscription once")
        return subscriptions
