-- Prints what bench/serve.py reads.
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("rps=%.1f p50=%.3f p95=%.3f errors=%d\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
