"""What answers leave behind: responses, their items, conversations, and runs that go on alone.

One SQLite file for all workers. Imports: sqlite3, logs, errors, config, wire. Who asks, and whether
a request may run, is told from above.
"""
