"""What a model is, costs and could be: answers to inspect, profile and candidates."""
