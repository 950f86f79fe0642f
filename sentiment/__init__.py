"""What the three scripts stand on, in rooms whose imports run only downwards.

From the top: report; scoring beside training; model; reviews beside encoders; and the modules of
this folder, which all rooms may use, as they may params.py. `.importlinter` holds the contract.
"""
