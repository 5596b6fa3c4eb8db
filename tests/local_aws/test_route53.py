"""Route 53: records as they were put."""

from typing import Any

from local_aws.server import LocalAws

BALANCER = {
    "DNSName": "public-1.us-west-1.elb.amazonaws.com",
    "HostedZoneId": "Z368ELLRRE2KJ0",
    "EvaluateTargetHealth": True,
}


def test_records_are_kept(aws: LocalAws) -> None:
    route53: Any = aws.client("route53")
    zone = route53.create_hosted_zone(Name="kept.example", CallerReference="kept")["HostedZone"]["Id"]
    alias = {"Name": "shop.kept.example", "Type": "A", "AliasTarget": BALANCER}
    proof = {"Name": "_x.kept.example", "Type": "CNAME", "TTL": 300}
    proof |= {"ResourceRecords": [{"Value": "_y.acm-validations.aws."}]}
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record} for record in (alias, proof)]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    kept = [record for record in found if record["Type"] in {"A", "CNAME"}]
    assert kept == [proof | {"Name": "_x.kept.example."}, alias | {"Name": "shop.kept.example."}]
