"""Reviews Terraform plans and writes a comment for the pull request.

`plan` parses the output of `terraform show -json`, `rules` has the tables of rules, `findings` applies them,
`policy_changes` compares policies, `openings` compares network rules, and `comment` formats the result.
"""
