"""Statistics of per-image measures against human scores: plain arrays in, plain arrays out."""
