"""MaskTrack R-CNN on ResNet-50, as published: four maps, batch norms that learn weights, not statistics."""

_base_ = ["masktrack_rcnn.py"]

model = dict(
    backbone=dict(
        type="ResNet50",
        style="pytorch",
        out_levels=("C2", "C3", "C4", "C5"),
        train_norms=True,
        pretrained="data/weights/resnet50_torchvision.pth",
    ),
)
