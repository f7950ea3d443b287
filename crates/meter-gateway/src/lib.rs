//! meter-gateway
