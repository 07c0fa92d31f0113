"""Pure functions between OpenAI's language and the engines' dialects.

No clock, no ids, no sockets, no Flask: what they need comes in as arguments. Imports: wire,
config's types, errors.
"""
