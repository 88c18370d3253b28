"""Speed and memory, measured: whole steps, streams, files, data. Tools and tests alone use it."""
