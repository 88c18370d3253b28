"""Every command line: what it says before there is work is said at once, and its options are of one dialect."""
