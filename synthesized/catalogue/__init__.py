"""The catalogue of resource types: all that is known of a type is one row of `table.py`.

`row` has the columns. What is no plain value is a function, in a module a column: `vpc` (where it is in the
VPC), `zone_loss` (what is left of it without a zone), `descriptions` and `lookups` (how AWS is asked about it).
"""
