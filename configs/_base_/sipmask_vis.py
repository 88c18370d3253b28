"""The parts that all configs of SipMask-VIS share, as published; a config adds the backbone and the number of classes.

docs/BASELINES.md 2 says what the published release computes.
"""

model = dict(
    type="VISModel",
    neck=dict(type="FPN", channels=256, extra="two"),
    head=dict(type="SipMaskVISHead", num_classes=40),
    criterion=dict(type="SipMaskVISCriterion", assigner=dict(type="RangeAssigner", center_radius=1.5)),
    postprocess=dict(type="SipMaskPostProcess", score_threshold=0.03, nms_iou=0.5, max_pre_nms=200, max_per_image=10),
)
# Published: no normalisation, no temperature, and no track is ever forgotten.
tracker = dict(type="Tracker", matching="greedy", affinity="inner_product", temperature=1.0, max_tracks=100_000)
