"""A dataset on the Hub: what of it may be read elsewhere, the files that go up, and the conversation with the Hub."""
