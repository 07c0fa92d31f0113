"""What clients may send: one marshmallow schema an endpoint, the only validators of bodies.

Imports: marshmallow, wire, errors. A view calls `load` and gets a typed dict or an error that
names the field.
"""
