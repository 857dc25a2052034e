"""Bringing a cluster's objects to a running Kubernetes, waiting for it, and proving that it answers.

Never imports cdktf.
"""
