"""What must hold between keys, and between a key and the world: one small function per rule, by noun.

Importing this package registers every rule.
"""

import pgha.config.rules.access
import pgha.config.rules.admission
import pgha.config.rules.aws
import pgha.config.rules.capacity
import pgha.config.rules.certificates
import pgha.config.rules.credentials
import pgha.config.rules.delivery
import pgha.config.rules.engines
import pgha.config.rules.names
import pgha.config.rules.network
import pgha.config.rules.object_store
import pgha.config.rules.operator
import pgha.config.rules.postgresql
import pgha.config.rules.schedule
import pgha.config.rules.topology  # noqa: F401 - for the registering
from pgha.config.rules.fleet import between
from pgha.config.rules.registry import judge
from pgha.config.rules.silence import quieten

__all__ = ["between", "judge", "quieten"]
