"""What is done for a job, one file for each step: extract, download, place.

`jobs.runner` runs them in order. `convert`, `transcribe` and `organize` get their places here.
"""
