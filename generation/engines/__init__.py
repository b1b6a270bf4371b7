"""Engines: each a way to sample a policy, behind the protocol in generation.engine."""
