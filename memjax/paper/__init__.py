"""The paper's results from per-image measures: its released files, its published numbers, and the tables that join
them.

Takmaz, Gatt & Dotlačil 2025, "Traces of Image Memorability in Vision Encoders", arXiv 2509.01453.
"""
