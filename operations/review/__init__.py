"""Reviews Terraform plans and writes a comment for the pull request.

`documents` finds plans in files, `plan` parses them, `rules` has the tables of rules, `findings` applies them,
`differences` compares both sides of a change, `set_arguments` names what is a set, `policy_changes` compares policies,
`openings` compares network rules, and `comment` formats the result.
"""
