//! meter-sim
