"""The embedded engine: llama.cpp's own server as a supervised child process.

Used by `tensoria up` alone. May import the standard library and nothing above `errors`; only
`child.py`, which runs as a process of its own, imports xllamacpp.
"""
