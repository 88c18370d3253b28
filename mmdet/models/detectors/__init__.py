"""Whole models, a file a family."""
