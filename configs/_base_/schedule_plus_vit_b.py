"""12 epochs of AdamW with layer-wise decay, for MemCNP plus on ViT-B.

The rate is that of four GPUs with four pairs each; for others --auto-scale-lr.
"""

optimizer = dict(type="AdamW", lr=2e-4, weight_decay=0.05, layer_decay=0.75)
schedule = dict(epochs=12, warmup_steps=1000, warmup_ratio=0.01, decay="cosine", base_batch_size=16)
