"""A local AWS: moto's server, and a module a service for what moto lacks or gets wrong.

A module extends moto's own classes of responses and backends, so that it can be offered to moto as it is. What neither
has is answered with a clear error, counted, and never passed over.
"""
