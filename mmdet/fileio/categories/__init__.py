"""Categories of one set as those of another or of a model: matched by name, by synonyms, by what the user says."""
