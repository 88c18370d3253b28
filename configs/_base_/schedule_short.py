"""The short recipe of the small natural sets (docs/results.md).

1719 steps of SGD, linear warm-up over 300 steps, learning rate times 0.1 after 70 % and 92 % of the steps.
"""

optimizer = dict(type="SGD", lr=0.005, momentum=0.9, weight_decay=1e-4)
schedule = dict(
    steps=1719,
    warmup_steps=300,
    warmup_ratio=1 / 80,
    milestones=[0.7, 0.92],
    milestone_unit="fraction",
)
