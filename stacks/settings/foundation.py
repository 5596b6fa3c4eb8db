"""Settings of the foundation tier: who administers the keys, and who is told."""

from typing import Annotated, Literal, Self

from pydantic import field_validator, model_validator

from stacks.settings.section import InProduction, Matching, OfOwnAccount, Section

ROLE = Matching(
    r"arn:aws:iam::\d{12}:role/(?:[\w+=,.@-]+/)*[\w+=,.@-]+", "the ARN of a role, arn:aws:iam::<account>:role/<name>"
)
RoleArn = Annotated[str, ROLE, OfOwnAccount("roles")]

ENDPOINTS = {
    "email": Matching(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "an e-mail address"),
    "https": Matching(r"https://[\w.~:/?#@!&()*+,;=%-]+", "an https:// address"),
}


class AlarmSubscription(Section):
    """Somebody who is told of an alarm. An e-mail address must confirm the subscription once."""

    protocol: Literal["email", "https"]
    """How they are told."""
    endpoint: str
    """The address, or the URL."""

    @model_validator(mode="after")
    def _endpoint_fits_protocol(self) -> Self:
        ENDPOINTS[self.protocol].check(self.endpoint)
        return self


class FoundationSettings(Section):
    """Keys, log buckets, alarm topic, image repository."""

    key_administrators: tuple[RoleArn, ...]
    """Roles that may manage the keys, but not decrypt with them."""

    alarm_subscriptions: Annotated[
        tuple[AlarmSubscription, ...], InProduction("somebody must be told of an alarm (PCI DSS 12.10.1)", at_least=1)
    ] = ()
    """Who is told of alarms and events."""

    @field_validator("key_administrators")
    @classmethod
    def _are_distinct_and_somebody(cls, administrators: tuple[str, ...]) -> tuple[str, ...]:
        if not administrators or len(set(administrators)) < len(administrators):
            raise ValueError("allowed: one role or more, each once")
        return administrators

    @field_validator("alarm_subscriptions")
    @classmethod
    def _are_distinct(cls, subscriptions: tuple[AlarmSubscription, ...]) -> tuple[AlarmSubscription, ...]:
        if len(set(subscriptions)) < len(subscriptions):
            raise ValueError("allowed: each subscription once")
        return subscriptions
