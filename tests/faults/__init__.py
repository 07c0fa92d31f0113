"""Every fault that an engine can have, at every endpoint, in every form of answer.

Each module has one noun: `dialects` (how an engine writes), `faults` (what goes wrong), `outcomes`
(what a client gets), `expected` (the table), `asking` (a client), `benches` (a service and an
engine that has the fault), `process` (an engine that can be killed), `page` (docs/faults.md).
"""
