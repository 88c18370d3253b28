"""Whole models, one file per family."""
