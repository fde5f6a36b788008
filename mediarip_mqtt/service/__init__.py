"""The process: what it is made of, what watches over it, when it starts anew.

Uses every room but `cli`. `cli` runs it. `app` composes and does nothing else.
"""
