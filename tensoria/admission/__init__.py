"""Who may run now: keys, callers, and the fair queue (limits come with a later issue).

Imports: the standard library, errors, config.
"""
