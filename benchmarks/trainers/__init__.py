"""Does a trainer see the tokens that the policy's template makes? Its own loading code, in its own environment."""
