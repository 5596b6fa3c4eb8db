"""What a Terraform plan puts at stake, as a comment for a pull request.

`plan` reads what `terraform show -json` wrote; `rules` are the tables of what is worse than before; `findings` holds
the one against the other, with `grants` for policies and `openings` for the network; `comment` writes it down.
"""
