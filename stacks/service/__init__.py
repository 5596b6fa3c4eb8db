"""The application on Fargate, behind the load balancer and WAF."""
