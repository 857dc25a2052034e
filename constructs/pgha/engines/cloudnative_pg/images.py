"""The image of the servers, which every pod of ours that needs psql uses too."""

from pgha.config.model import Cluster
from pgha.engines.base import NotBuiltError

_IMAGES = {"14": "14.24", "15": "15.19", "16": "16.15", "17": "17.11", "18": "18.6"}
"""Newest minor of each major in CloudNativePG's image catalogs of 2026-08-17."""


def image(cluster: Cluster) -> str:
    """The file's image, or the operator project's for this major, by minor and Debian release.

    Raises:
        NotBuiltError: No image is known for this major.
    """
    if cluster.postgresql.image:
        return cluster.postgresql.image
    major = cluster.postgresql.version
    if major not in _IMAGES:
        raise NotBuiltError(f"no image is known for PostgreSQL {major}", "name one under postgresql.image")
    return f"ghcr.io/cloudnative-pg/postgresql:{_IMAGES[major]}-standard-trixie"
