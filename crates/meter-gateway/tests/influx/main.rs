//! The output `influx` against real servers, `InfluxDB` 1.6 and `VictoriaMetrics`, and against the
//! documented answers of later versions of `InfluxDB`.

#[allow(dead_code, reason = "the tests of other outputs need more of it")]
#[path = "../delivering/mod.rs"]
mod delivering;
mod document;
mod documented;
mod influxdb;
mod program;
mod proxy;
mod rows;
mod settings;
mod victoria;
