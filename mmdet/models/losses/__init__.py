"""The training losses. Importing the package registers the criterion."""

from mmdet.models.losses.criterion import Criterion

__all__ = ["Criterion"]
