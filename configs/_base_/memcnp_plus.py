"""The parts that all configs of MemCNP plus share; a config adds the backbone and the number of classes.

docs/plus.md says what differs from the published model and what it is worth.
"""

model = dict(
    type="PlusModel",
    neck=dict(type="FPN", channels=256),
    head=dict(type="DynamicMaskHead", num_classes=40),
    criterion=dict(type="AlignedCriterion", assigner=dict(type="TaskAlignedAssigner", topk=10, alpha=0.5, beta=6.0)),
    postprocess=dict(type="DynamicPostProcess", score_threshold=0.1, box_iou=0.7, mask_iou=0.5, max_per_image=10),
)
tracker = dict(type="AppearanceTracker", label_share=0.1, sure_after=5)
