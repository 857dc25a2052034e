"""From cluster files to `terraform/stacks/*/cdk.tf.json`."""

from collections.abc import Iterable
from pathlib import Path

from cdktf import App

from pgha.config.model import Cluster
from pgha.stacks.cluster import ClusterStack
from pgha.stacks.platform import PlatformStack


def synthesize(clusters: Iterable[Cluster], outdir: Path) -> list[Path]:
    """Write the stack `platform` and one stack per cluster below `outdir`.

    Returns:
        The written cdk.tf.json files, in the order in which they are applied.

    Raises:
        NotBuiltError: An engine cannot do what a file asks for yet.
    """
    # Stack traces, and an outdir that is not given, would put this machine's paths into manifest.json.
    app = App(stack_traces=False, outdir=str(outdir))
    described = list(clusters)
    stacks = [PlatformStack(app, described), *(ClusterStack(app, cluster) for cluster in described)]
    app.synth()
    return [outdir / "stacks" / stack.node.id / "cdk.tf.json" for stack in stacks]
