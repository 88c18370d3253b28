"""Sheets of training pairs: what the model gets and what its points learn."""
