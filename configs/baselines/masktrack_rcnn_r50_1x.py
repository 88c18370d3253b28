"""MaskTrack R-CNN on ResNet-50, as published (docs/BASELINES.md 3.8): YouTube-VIS, one scale, 12 epochs.

Command  python train.py configs/baselines/masktrack_rcnn_r50_1x.py
Weights  torchvision's resnet50 at `pretrained`; the release starts from a Mask R-CNN trained on COCO (--load_from),
         whose class layers do not fit and stay as they are drawn
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/masktrack_rcnn_r50.py",
    "../_base_/datasets/youtube_vis_2021.py",
    "../_base_/schedule_masktrack_rcnn.py",
    "../_base_/runtime.py",
]

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/YVIS/annotations/instances_train.json",
                img_prefix="data/YVIS/train_images",
                max_gap=None,
                whole_masks=True,
                max_jitter=0.0,
                transforms=[
                    dict(type="ResizeKeepRatio", long_edge=640, short_edge=360),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
        batch_size=8,
    ),
    test=dict(dataset=dict(transforms=[dict(type="ResizeKeepRatio", long_edge=640, short_edge=360)])),
)
