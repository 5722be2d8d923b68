-- What wrk found, in one line for load.py: its own print-out rounds bytes to three digits.
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("bench requests %d bytes %d micros %d p50_us %d p99_us %d errors %d\n",
        summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.timeout + e.status))
end
