"""The published recipe on nine tenths of YouTube-VIS 2021's training videos, measured on the tenth held back.

The public validation videos have no annotations: this is how to measure at home. Training validates, and test_video.py
measures, on the videos held back; vitmae_cnp_contrast_ms_1x.py is the same model and tests on the public ones.
Command  python tools/make_split.py data/YVIS/annotations/instances_train.json --valid 0.1
         python train.py configs/vitmae_cnp_contrast_ms_1x_holdout.py --gpus 4 --validate
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = ["vitmae_cnp_contrast_ms_1x.py"]

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/YVIS/annotations/instances_train_train.json",
                img_prefix="data/YVIS/train_images",
                transforms=[
                    dict(type="ResizeKeepRatio", long_edge=(640, 960), short_edge=(360, 480)),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
    ),
    # `valid` is not set: --validate takes `test`
    test=dict(
        dataset=dict(
            ann_file="data/YVIS/annotations/instances_train_valid.json",
            img_prefix="data/YVIS/train_images",
        ),
    ),
)
