"""What all tiers use: keys, log buckets, the alarm topic, the image repository."""
