"""Autoencoders exchanged with SAELens, in both directions; in an environment of their own (`.ci/run`)."""
