"""Mail to customers: the shop's domain as an identity of SES, signed with DKIM and sent over TLS only."""

from cdktf import Fn
from cdktf_cdktf_provider_aws import sesv2_configuration_set as ses
from cdktf_cdktf_provider_aws.data_aws_route53_zone import DataAwsRoute53Zone
from cdktf_cdktf_provider_aws.route53_record import Route53Record
from cdktf_cdktf_provider_aws.sesv2_email_identity import Sesv2EmailIdentity
from constructs import Construct

from stacks.own_tier import Alarm, Endpoint, Grant, OwnTier, ResourceType, Tiers
from stacks.settings import Environment

OURS = "identity/{domain} configuration-set/{ours}mail"
IDENTITY = "CreateEmailIdentity DeleteEmailIdentity PutEmailIdentityConfigurationSetAttributes"
SENDING = "CreateConfigurationSet DeleteConfigurationSet PutConfigurationSetDeliveryOptions TagResource UntagResource"
READS = "GetConfigurationSet GetEmailIdentity ListTagsForResource"
SEND = Grant("Send", "ses", "SendEmail", OURS)


class MailStack(OwnTier):
    """The identity with its DNS records, how it sends, and an alarm on mails that come back."""

    tier = "mail"
    deployment = (Grant("Mail", "ses", f"{IDENTITY} {SENDING}", OURS, reads=READS),)
    tasks = (SEND,)
    endpoints = (Endpoint("email", SEND.iam_actions()),)
    resource_types = (
        ResourceType("aws_sesv2_configuration_set", r"ses:configuration-set/(.+)", "AWS::SES::ConfigurationSet"),
        ResourceType("aws_sesv2_email_identity", r"ses:identity/(.+)", "AWS::SES::EmailIdentity", "mail domain"),
    )

    def __init__(self, scope: Construct, settings: Environment, tiers: Tiers) -> None:
        super().__init__(scope, settings, tiers)
        domain, name = settings.service.domain, self.names.resource_name("mail")
        tls = ses.Sesv2ConfigurationSetDeliveryOptions(tls_policy="REQUIRE")
        sending = ses.Sesv2ConfigurationSet(self, "sending", configuration_set_name=name, delivery_options=tls)
        identity = Sesv2EmailIdentity(self, "identity", email_identity=domain, configuration_set_name=sending.id)
        zone = DataAwsRoute53Zone(self, "zone", name=settings.service.hosted_zone, private_zone=False)
        for number in range(3):  # of Easy DKIM
            token = Fn.element(identity.dkim_signing_attributes.tokens, number)
            record, value = f"{token}._domainkey.{domain}", [f"{token}.dkim.amazonses.com"]
            Route53Record(self, f"dkim-{number}", zone_id=zone.id, name=record, type="CNAME", ttl=300, records=value)
        self.allow_tasks()
        bounces = Alarm(
            name="bounces",
            namespace="AWS/SES",
            metric="Reputation.BounceRate",
            statistic="Average",
            threshold=0.05,
            unit="of the mails",
            period=3600,
            periods=1,
            treat_missing_data="notBreaching",
            reason="SES reviews an account at 5 percent and stops it at 10",
        )
        self.watch(bounces)
