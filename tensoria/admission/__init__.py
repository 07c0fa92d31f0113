"""Who may run now, and what they have used: keys, callers, limits, the fair queue, usage.

Imports: the standard library (sqlite3 here alone), limits, errors, config, translate's names.
"""
