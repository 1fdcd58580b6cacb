"""What a machine with a CUDA GPU is asked: are the numbers right, and how fast is a step. See ``benchmarks/gpu.sh``."""
