"""What every kernel computes with: NumPy twins of firmware/kernels/, function by function."""
