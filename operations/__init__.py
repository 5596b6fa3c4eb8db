"""What the team runs around a deploy."""

from imports import need_packages

need_packages()
