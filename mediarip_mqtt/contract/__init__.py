"""What is said to others: jobs, events, topics, payloads, errors, settings, as plain values.

Uses no other room. Every room uses it.
"""
