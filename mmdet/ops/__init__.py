"""Pure functions on tensors and arrays: boxes, masks, NMS, exchange between processes."""
