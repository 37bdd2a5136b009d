"""Figures (one function each) and the report page: what a run found, in one HTML file that needs nothing else."""
