"""The contract for programs: each topic described, as AsyncAPI 3 and as JSON Schema."""
