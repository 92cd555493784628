"""What every kernel computes with: NumPy twins of firmware/mcuq_*.h, function by function."""
