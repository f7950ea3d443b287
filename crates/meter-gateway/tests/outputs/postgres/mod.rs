//! The output `postgres` against a `PostgreSQL` of its own.

mod faults;
mod login;
mod rows;
mod server;
mod setup;
mod suite;
