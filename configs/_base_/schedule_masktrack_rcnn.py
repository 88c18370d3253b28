"""The published recipe of MaskTrack R-CNN (docs/BASELINES.md 3.8): 12 epochs of SGD with 8 pairs on each GPU."""

optimizer = dict(type="SGD", lr=0.005, momentum=0.9, weight_decay=1e-4)
schedule = dict(
    epochs=12,
    warmup_steps=500,
    warmup_ratio=1 / 3,
    decay="step",
    milestones=[8, 11],
    gamma=0.1,
    base_batch_size=32,  # 4 GPUs with 8 pairs each; for --auto-scale-lr
)
