//! How a connection begins: in which version, and what it means when the broker does not let us in.

use std::collections::VecDeque;

use bytes::BytesMut;
use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::connection::{Connection as Core, ConnectionOptions};
use tokio::time::timeout;

use super::packet::{self, Said};
use super::puback::Pubacks;
use super::stream::open;
use super::{Connection, Fault, Options, Reason, Sort, Version};

/// So many messages are on their way at most, unless the broker wants fewer.
const AT_ONCE: u16 = 32;
/// So many messages the broker may send before the first is taken.
const TAKEN_AT_ONCE: u16 = 16;
/// What is read at once.
const BUFFER: usize = 4096;
/// How a broker of MQTT 3.1.1 begins its answer to somebody who speaks 5: in version 5 a CONNACK is longer.
const OLD_ANSWER: [u8; 2] = [0x20, 2];

/// What the first packet of the broker came to.
enum Entry {
    In(Box<Connection>),
    /// It knows only the other version.
    OtherVersion,
}

impl Connection {
    /// Connects and logs in.
    pub(crate) async fn open(options: &Options) -> Result<Self, Fault> {
        let limit = options.patience;
        let entering = async {
            let first = options.version.unwrap_or(Version::V5);
            match Self::enter(options, first).await? {
                Entry::In(connection) => return Ok(*connection),
                Entry::OtherVersion if options.version.is_none() => {}
                Entry::OtherVersion => return Err(Fault::Login(Reason::UNSUPPORTED_VERSION)),
            }
            match Self::enter(options, Version::V3).await? {
                Entry::In(connection) => Ok(*connection),
                Entry::OtherVersion => Err(Fault::Login(Reason::UNSUPPORTED_VERSION)),
            }
        };
        let entered = timeout(limit, entering).await;
        entered.unwrap_or(Err(Fault::TimedOut { limit }))
    }

    async fn enter(options: &Options, version: Version) -> Result<Entry, Fault> {
        let limits = ConnectionOptions::new()
            .maximum_packet_size_recv(options.longest)
            .receive_maximum(TAKEN_AT_ONCE);
        let mut core = Core::with_options(
            match version {
                Version::V3 => mqtt::Version::V3_1_1,
                Version::V5 => mqtt::Version::V5_0,
            },
            limits,
        );
        let patience = u64::try_from(options.patience.as_millis()).unwrap_or(u64::MAX);
        core.set_pingresp_recv_timeout(patience);
        let mut connection = Self {
            stream: open(options).await?,
            core,
            version,
            input: vec![0; BUFFER].into_boxed_slice(),
            output: BytesMut::new(),
            flushed: true,
            heard: VecDeque::new(),
            pubacks: Pubacks::new(version),
            ended: None,
            patience: options.patience,
            ping: None,
            pong: None,
            in_flight: 0,
            at_once: 0,
        };
        let events = connection.core.send(packet::connect(options, version)?);
        connection.follow(events).map_err(packet::protocol)?;
        connection.greet().await
    }

    /// Waits for the answer to the login.
    async fn greet(mut self) -> Result<Entry, Fault> {
        loop {
            match self.heard.pop_front() {
                Some(Said::Connected { reason, at_once }) => match reason.sort() {
                    Sort::Taken => {
                        self.at_once = at_once.clamp(1, AT_ONCE);
                        return Ok(Entry::In(Box::new(self)));
                    }
                    _ if reason == Reason::UNSUPPORTED_VERSION => return Ok(Entry::OtherVersion),
                    _ => return Err(Fault::Login(reason)),
                },
                Some(Said::Ended(reason)) => return Err(Fault::Login(reason)),
                Some(_) => return Err(Fault::NotMqtt),
                None => {}
            }
            if let Some(fault) = self.ended.take() {
                return Err(Self::unwelcome(fault));
            }
            match self.turn_as_newcomer().await {
                Ok(None) => {}
                Ok(Some(entry)) => return Ok(entry),
                Err(fault) => return Err(Self::unwelcome(fault)),
            }
        }
    }

    /// What it means that nobody answers the login.
    fn unwelcome(fault: Fault) -> Fault {
        match fault {
            // It hung up rather than say no; or it is none of MQTT's brokers.
            Fault::Closed(_) | Fault::Broken(_) => Fault::Closed(
                " instead of letting us in: check host and port in url, username and password",
            ),
            Fault::Protocol(_) => Fault::NotMqtt,
            other => other,
        }
    }

    /// A turn that knows how brokers of 3.1.1 say no to version 5.
    async fn turn_as_newcomer(&mut self) -> Result<Option<Entry>, Fault> {
        let count = self.io().await?;
        let bytes = self.input.get(..count).unwrap_or_default();
        if self.version == Version::V5 && bytes.starts_with(&OLD_ANSWER) {
            return Ok(Some(Entry::OtherVersion));
        }
        self.take(count);
        Ok(None)
    }
}
