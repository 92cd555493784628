"""How a verb ends: 0 done, an error, wrong usage (click's), a comparison that differs, Ctrl-C."""

WRONG = 1
DIFFERS = 3
INTERRUPTED = 130
