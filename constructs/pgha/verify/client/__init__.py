"""A client of PostgreSQL that measures: the same code on the LAN (`python -m`) and in a pod (a zip archive).

It imports nothing but the standard library and pg8000, which is pure Python, so that any Python image can run it.
"""
