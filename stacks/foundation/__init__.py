"""Foundation tier: KMS keys, log buckets, alarm topic, image repository."""
