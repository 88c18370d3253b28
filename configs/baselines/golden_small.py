"""A small version of the published model, with which the numbers were recorded that tools/check_golden.py compares.

Command  python tools/check_golden.py DIR
Result   not measured: the model is compared and never trained, its parameters are random
"""

_base_ = ["../vitmae_cnp_contrast_ms_1x.py"]

model = dict(
    backbone=dict(embed_dim=48, depth=12, num_heads=4, checkpointing=False, pretrained=None),
    neck=dict(channels=32),
    head=dict(memory=dict(num_slots=16)),
    criterion=dict(exclude_matches=False),
)
