"""What the parts of a two-stage model pass to each other: the network's outputs, and the rows that learn."""

from mmdet.structures.two_stage_outputs.outputs import Proposals, RPNOutputs, TwoStageOutputs, unpadded_sizes

__all__ = ["Proposals", "RPNOutputs", "TwoStageOutputs", "unpadded_sizes"]
