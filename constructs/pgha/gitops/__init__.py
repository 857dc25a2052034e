"""The tree that Argo CD applies: `kubernetes/applications/NAME/`, committed and reviewed like source.

`application.yaml` is what the stack itself puts into Argo CD, written down for the reader; Argo CD reads
`manifests/` only.
"""

from pgha.gitops.text import to_yaml
from pgha.gitops.tree import tree

__all__ = ["to_yaml", "tree"]
