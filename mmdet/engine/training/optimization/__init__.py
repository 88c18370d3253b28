"""Optimisers, their parameter groups and state, and the learning rate over the run."""
