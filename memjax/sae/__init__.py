"""Sparse autoencoders and their loss as a proxy for memorability: plain arrays in, plain arrays out.

Model: `config`, `model`, `activations`, `init`, `loss`. Training: `train` (one), `ensemble` (many), `optimise`, `dead`,
`standardise`, `folds`, `stream`. Keeping: `checkpoint`, `released`. Scores: `score`. CNN baselines: `sparse_coding`,
`neighbours`.
"""
