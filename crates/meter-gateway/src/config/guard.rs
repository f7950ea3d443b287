use schemars::JsonSchema;
use serde::Deserialize;

/// Which readings are too strange to be true. They are kept apart from the others, and shown by
/// `meterline suspects`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Guard {
    /// Whether counters that fall, or rise faster than the fuses allow, are refused.
    pub enabled: bool,
    /// The highest power in W that can flow in either direction: volts x amperes of the main fuse x
    /// phases. The default is three fuses of 63 A at 230 V.
    pub max_power: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            enabled: true,
            max_power: meter_core::GuardConfig::default().max_power,
        }
    }
}

impl Guard {
    /// What the guard is made with.
    #[must_use]
    pub fn limits(&self) -> meter_core::GuardConfig {
        meter_core::GuardConfig {
            max_power: self.max_power,
            ..Default::default()
        }
    }
}
