"""How a run is done: seed, precision, logging, checkpoints. Nothing here changes what the model is."""

runtime = dict(seed=0, amp="bf16", grad_clip=35.0, accumulate=1, log_every=50, checkpoint_every=1, keep_last=3)
