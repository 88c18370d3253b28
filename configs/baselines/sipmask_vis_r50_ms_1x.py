"""SipMask-VIS on ResNet-50 as published, images of several sizes in training: 360 to 480 by up to 960.

Command  python train.py configs/baselines/sipmask_vis_r50_ms_1x.py --gpus 4
Weights  a caffe-style ResNet-50 at `pretrained`; the release starts from a SipMask trained on COCO (--load_from)
Cost     not measured
Result   not measured; its authors name mask AP 33.7 on YouTube-VIS 2019 valid
"""

_base_ = ["sipmask_vis_r50_1x.py"]

# Long and short side are drawn independently; 649 is the release's (docs/BASELINES.md 6, B12).
data = dict(
    train=dict(
        datasets=[
            dict(
                _base_.data.train.datasets[0],
                transforms=[
                    dict(type="ResizeKeepRatio", long_edge=(649, 960), short_edge=(360, 480)),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
    ),
)
