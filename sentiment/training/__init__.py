"""The training loop, its optimiser, and what is said of what it learns from. May use model and
reviews; not scoring.
"""
