"""Checkpoint files, what weights they hold, and how these fit a model."""
