"""Where reviews come from, what is read of them, and which are train, dev and test. Stands on the
ground modules alone, and never on TensorFlow's start.
"""
