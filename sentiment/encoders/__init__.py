"""Encoders as pairs of TF Hub SavedModels, wherever they come from: fetched from the Hub, or built
from weights that come through pip. Stands on the ground modules alone; nothing above knows which.
"""
