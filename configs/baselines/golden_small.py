"""The published recipe's small twin: the model of the recorded numbers that tools/check_golden.py compares.

Command  python tools/check_golden.py DIR
It is compared and not trained: its parameters are random.
"""

_base_ = ["../vitmae_cnp_contrast_ms_1x.py"]

model = dict(
    backbone=dict(embed_dim=48, depth=12, num_heads=4, checkpointing=False, pretrained=None),
    neck=dict(channels=32),
    head=dict(memory=dict(num_slots=16)),
    criterion=dict(exclude_matches=False),
)
