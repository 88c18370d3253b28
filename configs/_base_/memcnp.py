"""The parts that all configs of MemCNP-VIS share; a config adds the backbone and the number of classes."""

model = dict(
    type="VISModel",
    neck=dict(type="FPN", channels=256),
    head=dict(
        type="SipMaskHead",
        num_classes=40,
        memory=dict(type="CNPMemory", num_slots=128, rate=0.999, update_mode="top1"),
    ),
    criterion=dict(type="Criterion", assigner=dict(type="UncertaintyAssigner", topk=4)),
    postprocess=dict(type="PostProcess", score_threshold=0.015, nms_iou=0.5, max_pre_nms=200, max_per_image=10),
)
tracker = dict(type="Tracker", matching="greedy", max_tracks=500)
