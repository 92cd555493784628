"""Cases of each operator, for every CPU and every scheme: sizes around the unrolls of all kernels, both extremes of
weights, clips inside the grid. A module an operator gives `fixed()`, what random layers seldom are, and `MAKERS`, which
draw one layer each."""
