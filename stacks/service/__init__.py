"""Service tier: the application on Fargate, behind the load balancer and WAF."""
