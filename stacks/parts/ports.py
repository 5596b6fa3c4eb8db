"""Ports, which a security group's rule and the resource behind it must agree on."""

HTTP = 80
HTTPS = 443
SERVICE = 8443
"""The application, behind the load balancer: TLS to the task."""
DATABASE = 5432
CACHE = 6379
FILES = 2049
"""NFS, within the TLS that EFS's mount helper puts around it."""
EPHEMERAL = (1024, 65535)
"""Where answers go. A NAT gateway uses all of it."""
ANY = (0, 65535)
