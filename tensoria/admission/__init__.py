"""Who may run now: keys, callers, and the fair queue.

Imports: the standard library, errors, config, translate's names.
"""
