"""The parts that all configs of FCOS share, as published (docs/BASELINES.md 4); a config adds backbone and classes.

It finds boxes and classes, no masks: score it with `--eval bbox`. It has no vectors to compare either; in a
video boxes of one class that overlap get one id.
"""

model = dict(
    type="VISModel",
    neck=dict(type="FPN", channels=256, extra="two"),
    head=dict(type="FCOSHead", num_classes=80),
    criterion=dict(type="DenseCriterion", assigner=dict(type="RangeAssigner", center_radius=None)),
    postprocess=dict(type="DensePostProcess", score_threshold=0.05, nms_iou=0.5, max_pre_nms=1000, max_per_image=100),
)
tracker = dict(type="Tracker", matching="greedy", affinity="inner_product")
