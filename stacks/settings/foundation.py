"""Settings of the foundation tier: who administers the keys, who is told, and where they read what to do."""

from typing import Annotated, Literal, Self

from pydantic import field_validator, model_validator

from stacks.settings.section import InOwnAccount, InProduction, Matching, Section

ROLE = Matching(
    r"arn:aws:iam::\d{12}:role/(?:[\w+=,.@-]+/)*[\w+=,.@-]+", "the ARN of a role, arn:aws:iam::<account>:role/<name>"
)
RoleArn = Annotated[str, ROLE, InOwnAccount("roles")]

ENDPOINTS = {
    "email": Matching(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "an e-mail address"),
    "https": Matching(r"https://[\w.~:/?#@!&()*+,;=%-]+", "an https:// address"),
}


class AlarmSubscription(Section):
    """Somebody who is told of an alarm. An e-mail address must confirm the subscription once."""

    protocol: Literal["email", "https"]
    """How they are told: `email` to people, `https` to whatever wakes them."""
    endpoint: str
    """The e-mail address, or the URL that the topic posts to."""

    @model_validator(mode="after")
    def _endpoint_fits_protocol(self) -> Self:
        ENDPOINTS[self.protocol].check(self.endpoint)
        return self


class FoundationSettings(Section):
    """Keys, log buckets, alarm topic, image repository."""

    key_administrators: tuple[RoleArn, ...]
    """Roles that may manage the keys, but not decrypt with them: who can lose a key cannot read by it."""

    alarm_subscriptions: Annotated[
        tuple[AlarmSubscription, ...], InProduction("somebody must be told of an alarm (PCI DSS 12.10.1)", at_least=1)
    ] = ()
    """Who is told of alarms and events."""

    runbooks: Annotated[
        str,
        # It is put into texts of JSON, JSONata and Terraform, and into an alarm's 1,024 characters.
        Matching(r"https://[\w.~:/?@&=+%-]{1,246}[\w-]", "an https:// address, 255 characters at most, no slash last"),
    ]
    """Where your fork shows `docs/runbooks`: every alarm and event ends with the address of its own heading there, so
    that whoever is woken is one click away from what to do."""

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
