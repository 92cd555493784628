"""Files + Board -> programs: for a board, for this computer, or firmware."""
