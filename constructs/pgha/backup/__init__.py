"""Backups of a running cluster: made, listed, restored into a new cluster, and proven.

Never imports cdktf. What an object of an engine looks like is the engine's own (`pgha.engines.backups`).
"""
