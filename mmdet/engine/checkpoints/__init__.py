"""Checkpoint files, the weights in them, and copying these into a model."""
