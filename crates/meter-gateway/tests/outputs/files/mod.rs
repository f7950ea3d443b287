//! The outputs `csv` and `jsonl` against real files: rows beside the journal's, kills, full and
//! read-only disks, days that end.

mod days;
mod kill;
mod rows;
mod setup;
mod suite;
mod trouble;
