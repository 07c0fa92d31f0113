"""Who may run now: keys (limits and the fair queue come with later issues).

Imports: the standard library, errors.
"""
