"""Where a run starts, and whether what it resumes fits it."""
