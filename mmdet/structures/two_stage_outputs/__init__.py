"""What the parts of a two-stage model pass to each other: the network's outputs, and the rows that learn."""

from mmdet.structures.two_stage_outputs.outputs import Proposals, RPNOutputs, TwoStageOutputs, unpadded_sizes
from mmdet.structures.two_stage_outputs.samples import BoxAssignment, Samples

__all__ = ["BoxAssignment", "Proposals", "RPNOutputs", "Samples", "TwoStageOutputs", "unpadded_sizes"]
