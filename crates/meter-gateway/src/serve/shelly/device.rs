//! Which Shelly it is.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::status;
use crate::serve::object::Object;
use crate::serve::shown::{Shown, Unavailable};

/// A Shelly that can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// Shelly Pro 3EM, three phases.
    Pro3em,
    /// Shelly EM Gen3.
    Emg3,
    /// Shelly Pro EM-50.
    Proem50,
}

/// The firmware whose answers these are.
const VERSION: &str = "1.4.4";
const FIRMWARE: &str = "20241011-114455/1.4.4-g6d2a586";

impl Device {
    /// The beginning of its id, its model, its generation, and what it calls its program.
    const fn kind(self) -> (&'static str, &'static str, u8, &'static str) {
        match self {
            Self::Pro3em => ("shellypro3em", "SPEM-003CEBEU", 2, "Pro3EM"),
            Self::Emg3 => ("shellyemg3", "S3EM-002CXCEU", 3, "EMG3"),
            Self::Proem50 => ("shellyproem50", "SPEM-002CEBEU50", 2, "ProEM"),
        }
    }

    /// In the alphabet's order, as a Shelly lists them.
    pub(super) const fn methods(self) -> [&'static str; 5] {
        match self {
            Self::Pro3em => [
                "EM.GetStatus",
                "EMData.GetStatus",
                "Shelly.GetDeviceInfo",
                "Shelly.GetStatus",
                "Shelly.ListMethods",
            ],
            Self::Emg3 | Self::Proem50 => [
                "EM1.GetStatus",
                "EM1Data.GetStatus",
                "Shelly.GetDeviceInfo",
                "Shelly.GetStatus",
                "Shelly.ListMethods",
            ],
        }
    }

    pub(super) fn list(self) -> String {
        let methods = self.methods().map(|method| format!("\"{method}\""));
        format!("{{\"methods\":[{}]}}", methods.join(","))
    }

    pub(super) fn id(self, meter: &[u8]) -> String {
        format!("{}-{}", self.kind().0, mac(meter).to_lowercase())
    }

    pub(super) fn info(self, meter: &[u8]) -> String {
        let (_, model, generation, program) = self.kind();
        let info = Object::new()
            .raw("name", "null")
            .text("id", self.id(meter))
            .text("mac", mac(meter))
            .raw("slot", 0)
            .text("model", model)
            .raw("gen", generation)
            .text("fw_id", FIRMWARE)
            .text("ver", VERSION)
            .text("app", program)
            .raw("auth_en", false)
            .raw("auth_domain", "null");
        match self {
            Self::Pro3em => info.text("profile", "triphase").end(),
            Self::Emg3 | Self::Proem50 => info.end(),
        }
    }

    pub(super) fn status(self, meter: &[u8], shown: &Shown<'_>) -> Result<String, Unavailable> {
        let status = Object::new();
        let status = match self {
            Self::Pro3em => status
                .raw("em:0", status::em(shown)?)
                .raw("emdata:0", status::em_data(shown)),
            Self::Emg3 | Self::Proem50 => status
                .raw("em1:0", status::em1(shown)?)
                .raw("em1data:0", status::em1_data(shown)),
        };
        let system = Object::new().text("mac", mac(meter)).end();
        Ok(status.raw("sys", system).end())
    }
}

/// A hardware address of the kind that nobody sells, always the same for a meter.
fn mac(meter: &[u8]) -> String {
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, meter)
        .simple()
        .to_string();
    let end = hash.get(..10).unwrap_or_default();
    format!("02{}", end.to_uppercase())
}
