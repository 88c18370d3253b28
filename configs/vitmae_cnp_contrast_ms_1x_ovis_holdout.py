"""MemCNP-VIS with ViT-B on nine tenths of the training videos of OVIS, measured on the tenth held back.

The public validation videos have no annotations, so that a measurement of your own needs such a split. Training
validates and test_video.py measures on the videos held back; the config without `_holdout` tests on the public ones.
Command  python tools/make_split.py data/OVIS/annotations/annotations_train.json --valid 0.1
         python train.py configs/vitmae_cnp_contrast_ms_1x_ovis_holdout.py --gpus 4 --validate
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = ["vitmae_cnp_contrast_ms_1x_ovis.py"]

# `_base_.data` is the data section of the file above: the same data set with another annotation file.
data = dict(
    train=dict(
        datasets=[dict(_base_.data.train.datasets[0], ann_file="data/OVIS/annotations/annotations_train_train.json")],
    ),
    # `valid` is not set: --validate uses `test`
    test=dict(
        dataset=dict(
            ann_file="data/OVIS/annotations/annotations_train_valid.json",
            img_prefix="data/OVIS/train_images",
        ),
    ),
)
