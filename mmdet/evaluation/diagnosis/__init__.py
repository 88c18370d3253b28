"""What average precision is lost by: classes, identities, masks, misses."""
