"""A search for better settings: where it looks, what is tried next, which trial is not worth its time, what mattered.

It knows no kind of task and no network: what is tried is a value for each setting, what comes back is a cost.
"""
