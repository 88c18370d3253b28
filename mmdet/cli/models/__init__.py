"""Commands that make, run and change models."""
