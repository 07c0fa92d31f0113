"""The OpenAPI document: what the API takes and answers, for programs and for /docs and /redoc.

Imports: apispec, marshmallow, schemas, wire, errors. Built from the schemas, the shapes on the wire
and the tree of errors, so that it cannot promise what is not so; pure.
"""
