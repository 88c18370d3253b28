"""MaskTrack R-CNN's recipe: 12 epochs of SGD, linear warm-up over 500 steps, a tenth after epochs 8 and 11."""

optimizer = dict(type="SGD", lr=5e-3, momentum=0.9, weight_decay=1e-4)
schedule = dict(
    epochs=12,
    warmup_steps=500,
    warmup_ratio=1 / 3,
    decay="step",
    milestones=[8, 11],
    gamma=0.1,
)
