"""Training and prediction: the only package that knows all the others; importing it registers the optimisers."""

from mmdet.engine.optim import adamw, sgd

__all__ = ["adamw", "sgd"]
