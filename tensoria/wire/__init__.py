"""The shapes on both wires, as TypedDicts: what a key holds, its unit, and its source.

No code lives here, and nothing is imported but the standard library.
"""
