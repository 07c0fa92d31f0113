"""The HTTP face: one module an endpoint, and the hooks around them all.

Imports: flask and werkzeug, schemas, admission, backends' Protocol, logs, errors. A view validates,
asks the backend, and hands the answer on; what is longer belongs in another room.
"""
