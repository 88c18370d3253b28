"""Who learns what: each assigner chooses the points of every object; importing the package registers them."""

from mmdet.models.assigners.center import CenterAssigner
from mmdet.models.assigners.uncertainty import UncertaintyAssigner

__all__ = ["CenterAssigner", "UncertaintyAssigner"]
