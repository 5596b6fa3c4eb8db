"""The catalogue of resource types: one row of `table.py` for each type.

`row` defines the columns. Columns that need code have a module each: `vpc` (addresses in the VPC), `zone_loss` (what
remains after the loss of a zone), `descriptions` and `lookups` (queries to AWS).
"""
