"""Ports, shared by security group rules and the resources that listen on them."""

HTTP = 80
HTTPS = 443
SERVICE = 8443
"""The application's tasks, which the load balancer connects to over TLS."""
# The engines' default ports: another one hides nothing from who is in the network, and every client expects these.
DATABASE = 5432
CACHE = 6379
FILES = 2049
"""NFS to EFS, tunneled through TLS by the mount helper."""
EPHEMERAL = (1024, 65535)
"""Ephemeral ports, which responses go to. A NAT gateway uses the whole range."""
ANY = (0, 65535)
