"""Measure speed and memory of whole steps, streams, files and data. Only tools and tests use it."""
