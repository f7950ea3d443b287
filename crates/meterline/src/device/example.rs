//! A file to begin with.

/// Settings of a device, with every key.
pub const EXAMPLE: &str = r#"# Settings of a device. Send them with `meterline device configure --from FILE`.
# Secrets may stand elsewhere: "file:PATH" is the content of a file, "env:NAME" a variable.

# The host name, and the node's name where readings go.
#name = "meterline"

# How often a reading is sent; "0s" for every reading of the meter. An hour at most.
#interval = "10s"

# Up to four networks, the best first. Without a password for an open one.
[[wifi]]
ssid = "My network"
password = "its password"

# Where readings go: "rest" (HTTPS) or "mqtt". Nowhere without this table.
[output]
type = "rest"
url = "https://thingsboard.example/api/v1/TOKEN/telemetry"
# What is sent: "thingsboard", "classic" or "json".
#format = "thingsboard"
# The header Authorization, whole.
#authorization = "Bearer TOKEN"
# The authority that issued the server's certificate, if it is one of your own.
#ca_file = "ca.pem"
# Allows http://, where anybody on the way reads and writes.
#allow_insecure = false

# Where the time comes from: up to three servers, HOST or HOST:PORT.
[time]
#servers = ["ptbtime1.ptb.de", "pool.ntp.org"]

[display]
# Local standard time minus UTC, and whether clocks go forward in summer as in the European Union.
#utc_offset_minutes = 60
#summer_time = true
# How long after the last button press it is dimmed, and sleeps; "0s" for never.
#dim_after = "1m"
#sleep_after = "10m"

# Readings that are too strange to be true are refused: counters that fall, or that rise faster than
# the highest power in W that the fuses allow.
[guard]
#enabled = true
#max_power = 43470
"#;
