"""A page to open: what a model reached on a data set, where it fails, and players of its videos."""
