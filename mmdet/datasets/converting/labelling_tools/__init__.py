"""Readers of what labelling tools export, one file a tool."""
