"""What whoever deploys may do: tables of IAM's actions, by service, and the policies that they are put into."""
