"""pgha: a highly available PostgreSQL from one small file.

Importing this package loads nothing else: `pgha.config` must start without CDKTF, jsii or Node.
"""
