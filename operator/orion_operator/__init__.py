"""The operator: an InferenceCluster in, labels, configuration, placement and status out."""
