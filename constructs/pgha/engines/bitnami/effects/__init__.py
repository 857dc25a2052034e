"""What a change of the cluster file does with the chart postgresql-ha, from its templates and what this engine adds.

Three facts decide most of it: a StatefulSet takes other pods but no other volumes; pods read passwords, files and
parameters when they start, and a checksum in their template starts them anew; roles, databases and grants are made by
a Job that runs again whenever its statements differ, and which gives but never takes away.
"""

from pgha.engines.bitnami.effects.clients import NETWORK, ROLES
from pgha.engines.bitnami.effects.operations import OPERATIONS
from pgha.engines.bitnami.effects.server import SERVER
from pgha.engines.effects import Rulebook
from pgha.engines.effects.common import COMMON

RULEBOOK = Rulebook(rules={**COMMON, **SERVER, **ROLES, **NETWORK, **OPERATIONS})
