"""Tensoria: an OpenAI-compatible API in front of Ollama.

Holds the version and nothing else: importing a room must not load Flask.
"""

__version__ = "0.1.0"
