"""The acceptance criteria as a program: readings of a running cluster, and checks that judge them.

A reading asks the cluster something; a check is a pure function of readings. docs/explanation/what-verify-proves.md.
"""
