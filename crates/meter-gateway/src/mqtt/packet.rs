//! The packets of both versions, in words that do not differ by version.

use mqtt_protocol_core::mqtt::packet::{Packet, Qos, SubEntry, SubOpts, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{MqttError, SubackReasonCode, SubackReturnCode};

use crate::config::Secret;

use super::{Fault, Message, Options, Reason, Version};

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) retain: bool,
    /// Whether the broker has to acknowledge it: `QoS` 1 rather than 0.
    pub(crate) acknowledged: bool,
}

/// Whether it may be published to.
pub(crate) fn is_topic(topic: &str) -> bool {
    is_filter(topic) && !topic.contains(['#', '+'])
}

/// Whether it may be subscribed to, wildcards aside.
pub(crate) fn is_filter(filter: &str) -> bool {
    !filter.is_empty() && filter.len() <= 65_535 && !filter.contains(char::is_control)
}

/// What the broker says, in either version.
pub(super) enum Said {
    Connected { reason: Reason, at_once: u16 },
    Acknowledged { id: u16, reason: Reason },
    Subscribed { reason: Reason },
    Message { message: Message, id: Option<u16> },
    Ended(Reason),
    Nothing,
}

pub(super) fn connect(options: &Options, version: Version) -> Result<Packet, Fault> {
    let seconds = u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX);
    let username = options.username.as_ref().map(Secret::expose);
    let password = options.password.as_ref().map(Secret::expose);
    // The two builders are alike and share no trait.
    macro_rules! connect {
        ($version:ident) => {{
            let mut packet = $version::Connect::builder()
                .clean_start(true)
                .keep_alive(seconds)
                .client_id(options.client_id.as_str())
                .map_err(|_| Fault::Option("client_id"))?;
            if let Some(name) = username {
                packet = packet
                    .user_name(name)
                    .map_err(|_| Fault::Option("username"))?;
            }
            if let Some(password) = password {
                packet = packet
                    .password(password)
                    .map_err(|_| Fault::Option("password"))?;
            }
            if let Some(will) = &options.will {
                packet = packet
                    .will_message(
                        will.topic.as_str(),
                        will.payload.as_str(),
                        Qos::AtLeastOnce,
                        true,
                    )
                    .map_err(|_| Fault::Option("topic"))?;
            }
            packet.build().map_err(protocol)?.into()
        }};
    }
    Ok(match version {
        Version::V3 => connect!(v3_1_1),
        Version::V5 => connect!(v5_0),
    })
}

pub(super) fn publish(
    publication: Publication,
    id: Option<u16>,
    version: Version,
) -> Result<Packet, MqttError> {
    let qos = match id {
        Some(_) => Qos::AtLeastOnce,
        None => Qos::AtMostOnce,
    };
    macro_rules! publish {
        ($version:ident) => {
            $version::Publish::builder()
                .topic_name(publication.topic)?
                .qos(qos)
                .packet_id(id)
                .retain(publication.retain)
                .payload(publication.payload)
                .build()?
                .into()
        };
    }
    Ok(match version {
        Version::V3 => publish!(v3_1_1),
        Version::V5 => publish!(v5_0),
    })
}

pub(super) fn subscribe(filter: &str, id: u16, version: Version) -> Result<Packet, Fault> {
    let wanted = SubOpts::new().set_qos(Qos::AtLeastOnce);
    let entries = vec![SubEntry::new(filter, wanted).map_err(protocol)?];
    macro_rules! subscribe {
        ($version:ident) => {
            $version::Subscribe::builder()
                .packet_id(id)
                .entries(entries)
                .build()
                .map_err(protocol)?
                .into()
        };
    }
    Ok(match version {
        Version::V3 => subscribe!(v3_1_1),
        Version::V5 => subscribe!(v5_0),
    })
}

pub(super) fn acknowledge(id: u16, version: Version) -> Result<Packet, Fault> {
    macro_rules! acknowledge {
        ($version:ident) => {
            $version::Puback::builder()
                .packet_id(id)
                .build()
                .map_err(protocol)?
                .into()
        };
    }
    Ok(match version {
        Version::V3 => acknowledge!(v3_1_1),
        Version::V5 => acknowledge!(v5_0),
    })
}

pub(super) fn disconnect(version: Version) -> Result<Packet, Fault> {
    Ok(match version {
        Version::V3 => v3_1_1::Disconnect::new().into(),
        Version::V5 => v5_0::Disconnect::builder()
            .build()
            .map_err(protocol)?
            .into(),
    })
}

/// What a packet says.
pub(super) fn said(packet: &Packet) -> Said {
    match packet {
        Packet::V3_1_1Connack(connack) => Said::Connected {
            reason: Reason::of_return_code(connack.return_code() as u8),
            at_once: u16::MAX,
        },
        Packet::V5_0Connack(connack) => Said::Connected {
            reason: Reason(connack.reason_code() as u8),
            at_once: receive_maximum(connack),
        },
        Packet::V3_1_1Puback(puback) => Said::Acknowledged {
            id: puback.packet_id(),
            reason: Reason(0),
        },
        Packet::V5_0Puback(puback) => Said::Acknowledged {
            id: puback.packet_id(),
            reason: Reason(puback.reason_code().map_or(0, |reason| reason as u8)),
        },
        Packet::V3_1_1Suback(suback) => Said::Subscribed {
            reason: Reason(match suback.return_codes().first() {
                Some(SubackReturnCode::Failure) | None => 0x80,
                Some(_) => 0,
            }),
        },
        Packet::V5_0Suback(suback) => Said::Subscribed {
            reason: Reason(match suback.reason_codes().first() {
                Some(reason) => *reason as u8,
                None => SubackReasonCode::UnspecifiedError as u8,
            }),
        },
        Packet::V3_1_1Publish(publish) => Said::Message {
            message: Message {
                topic: publish.topic_name().to_owned(),
                payload: publish.payload().as_slice().to_vec(),
                retained: publish.retain(),
            },
            id: publish.packet_id(),
        },
        Packet::V5_0Publish(publish) => Said::Message {
            message: Message {
                topic: publish.topic_name().to_owned(),
                payload: publish.payload().as_slice().to_vec(),
                retained: publish.retain(),
            },
            id: publish.packet_id(),
        },
        Packet::V5_0Disconnect(disconnect) => Said::Ended(Reason(
            disconnect.reason_code().map_or(0, |reason| reason as u8),
        )),
        _ => Said::Nothing,
    }
}

/// How many messages the broker takes before it has acknowledged the first.
fn receive_maximum(connack: &v5_0::Connack) -> u16 {
    use mqtt_protocol_core::mqtt::packet::Property;
    let mut properties = connack.props().iter();
    let maximum = properties.find_map(|property| match property {
        Property::ReceiveMaximum(maximum) => Some(maximum.val()),
        _ => None,
    });
    maximum.unwrap_or(u16::MAX)
}

pub(super) fn protocol(error: MqttError) -> Fault {
    Fault::Protocol(error.to_string())
}
