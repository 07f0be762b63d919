def compare(*a): return {}
