"""Results as files of labelling tools and other sets, to be corrected by hand or used elsewhere."""
