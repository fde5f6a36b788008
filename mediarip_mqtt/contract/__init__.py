"""The public contract as plain values: jobs, events, topics, payloads, errors, settings.

Uses no other room. Every room uses it.
"""
