"""The published recipe: 12 epochs of SGD, linear warm-up over 1000 steps, a tenth of the rate after epochs 8 and 11."""

optimizer = dict(type="SGD", lr=1e-3, momentum=0.9, weight_decay=1e-4)
schedule = dict(
    epochs=12,
    warmup_steps=1000,
    warmup_ratio=1 / 80,
    decay="step",
    milestones=[8, 11],
    gamma=0.1,
    base_batch_size=16,  # 4 GPUs with 4 pairs each; for --auto-scale-lr
)
