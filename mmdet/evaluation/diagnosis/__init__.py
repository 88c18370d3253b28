"""Diagnosis: how much average precision is lost by wrong classes, identities, masks, and misses."""
