"""What is in a post's pictures: regions, how they stand to each other, how near, and what a network is shown of them.

No Django and no torch, but for the modules that hold a network of their own (`depth`, `grounding`, `ultralytics_yolo`),
which import it when they are used. Pictures are uint8 arrays of shape (height, width, 3), upright.
"""
