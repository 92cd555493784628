"""Where a quantized model loses accuracy, layer by layer, and what to do about it."""
