"""The parts that all configs of MaskTrack R-CNN share; a config adds the backbone and the number of classes."""

model = dict(
    type="TwoStageModel",
    neck=dict(type="FPN", channels=256, extra="pool"),
    rpn=dict(type="RPNHead", num_per_level=200, num_proposals=200, iou_threshold=0.7),
    head=dict(type="RoIHeads", num_classes=40),
    criterion=dict(
        type="TwoStageCriterion",
        anchor_sampler=dict(type="RandomSampler", num=64, positive_fraction=0.5),
        region_sampler=dict(type="RandomSampler", num=128, positive_fraction=0.25),
    ),
    postprocess=dict(type="TwoStagePostProcess", score_threshold=0.05, nms_iou=0.5, max_per_image=10),
)
tracker = dict(type="Tracker", affinity="inner_product", max_tracks=100_000)
