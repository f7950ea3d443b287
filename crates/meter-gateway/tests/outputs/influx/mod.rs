//! The output `influx` against real servers, `InfluxDB` 1.6 and `VictoriaMetrics`, and against the
//! documented answers of later versions of `InfluxDB`.

mod document;
mod documented;
mod influxdb;
mod program;
mod settings;
mod victoria;
