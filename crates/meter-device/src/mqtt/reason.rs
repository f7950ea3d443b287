//! What MQTT's reason codes and the client's errors mean for readings.

use rust_mqtt::client::MqttError;
use rust_mqtt::types::ReasonCode;

use crate::verdict::{Fault, Verdict};

/// MQTT 5.0, section 2.4, sorted by what has to happen.
pub(super) fn verdict(reason: ReasonCode) -> Verdict {
    let status = u16::from(reason.value());
    match reason {
        _ if reason.is_success() => Verdict::Delivered,
        ReasonCode::UnsupportedProtocolVersion
        | ReasonCode::ClientIdentifierNotValid
        | ReasonCode::BadUserNameOrPassword
        | ReasonCode::NotAuthorized
        | ReasonCode::Banned
        | ReasonCode::BadAuthenticationMethod
        | ReasonCode::SessionTakenOver
        | ReasonCode::TopicFilterInvalid
        | ReasonCode::TopicNameInvalid
        | ReasonCode::AdministrativeAction
        | ReasonCode::RetainNotSupported
        | ReasonCode::QoSNotSupported
        | ReasonCode::UseAnotherServer
        | ReasonCode::ServerMoved => Verdict::Check { status },
        ReasonCode::PacketTooLarge | ReasonCode::PayloadFormatInvalid => {
            Verdict::Refused { status }
        }
        // Busy, over a quota, shutting down, or a fault of its own that it does not name.
        _ => Verdict::Later {
            status,
            after: None,
        },
    }
}

/// Why a session is of no more use.
pub(super) fn fault<const N: usize>(error: &MqttError<'_, N>) -> Fault {
    match error {
        MqttError::Server | MqttError::Alloc => Fault::Garbage,
        _ => Fault::Closed,
    }
}
