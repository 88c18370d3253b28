"""Masks as run lengths, polygons and pixels."""
