"""Transforms of the frames of a clip and their objects before they become tensors."""
