"""What two tiers or more do alike."""
