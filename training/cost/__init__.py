"""What a part should cost: the model of quotes, its graph, and the store of cost tables."""
