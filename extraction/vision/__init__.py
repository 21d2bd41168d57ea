"""Regions of pictures, their relations and depths, and the views of pictures that networks take.

No Django and no torch, except in the modules that hold a network of their own (`depth`, `grounding`,
`ultralytics_yolo`), which import it when they are used. Pictures are uint8 arrays of shape (height, width, 3), upright.
"""
