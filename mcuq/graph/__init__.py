"""Graphs of layers: tensors, operators, and what follows from their order."""
