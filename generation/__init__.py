"""What a policy can do: chat rendering, the engines, sampling with log-probabilities."""
