"""Send or carry? Days, odds and bottlenecks of both ways, from a few numbers and before anything is bought."""
