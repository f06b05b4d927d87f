"""Tables, world, models, exports, registry, backtest and the command line."""
