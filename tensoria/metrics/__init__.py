"""What Prometheus is told: counters, histograms, and what stands for them where there are none.

Imports: prometheus_client (here alone, and not in `base`).
"""
