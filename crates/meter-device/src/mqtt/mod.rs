//! Sends readings by MQTT 5, over a connection that is open already and stays open.
//!
//! MQTT 3.1.1 is not spoken: `ThingsBoard`, mosquitto 2, EMQX and `HiveMQ` all speak 5, and only its
//! acknowledgements say why a reading was not taken.
//!
//! | topic | what | retained |
//! |---|---|---|
//! | `topic`, with the meter's id for `{meter}` | each reading, with its time | with `json` |
//! | `…/CLIENT/availability` | `online`; `offline` as last will | yes |
//! | `homeassistant/device/…/config` | discovery, when that is on | yes |
//! | `topic/state` | the newest reading for Home Assistant, when that is on | yes |
//!
//! The last three are left out with `thingsboard`, which knows its own topics only.

mod reason;
mod room;
mod topic;

use alloc::format;
use core::num::NonZero;
use core::pin::pin;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use meter_core::Stamped;
use meter_core::payload::homeassistant::{self, About, BIRTH_TOPIC, Origin, Statistic};
use rust_mqtt::Bytes;
use rust_mqtt::client::Client;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, DisconnectOptions, PublicationOptions, SubscriptionOptions, TopicReference,
    WillOptions,
};
use rust_mqtt::config::KeepAlive;
use rust_mqtt::types::{MqttBinary, MqttString, QoS, TopicFilter, TopicName};

use self::reason::{fault, verdict};
use self::room::LONGEST_PACKET;
pub use self::room::Room;
use self::topic::Text;
use crate::board::Time;
use crate::format::{Fill, Format};
use crate::settings::{self, Secret};
use crate::stream::Buffered;
use crate::verdict::{Fault, Verdict};

/// Within so many seconds something is sent, or the server takes the device for gone.
const KEEP_ALIVE: NonZero<u16> = NonZero::new(60).unwrap();
/// How long the server may take to answer a ping, or to end a packet that it has begun.
const PATIENCE: Duration = Duration::from_secs(20);
/// Within this time after Home Assistant has started, everything is sent again, each device at a
/// moment of its own.
const SPREAD: Duration = Duration::from_secs(10);
/// How many meters are known to have been announced. More are announced more often than needed.
const METERS: usize = 8;

/// Where and how readings are published.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// By what the server knows the device. Two with the same throw each other out.
    pub client_id: &'a str,
    /// User name; with `ThingsBoard` the access token.
    pub user: Option<&'a str>,
    /// Password.
    pub password: Option<&'a str>,
    /// The topic, with `{meter}` where the meter's id belongs, and without wildcards.
    pub topic: &'a str,
    /// What a message looks like.
    pub format: Format,
    /// Whether and how the meters are announced to Home Assistant.
    pub discovery: Option<Discovery<'a>>,
}

/// How meters are announced to Home Assistant.
#[derive(Clone, Copy, Debug)]
pub struct Discovery<'a> {
    /// Who announces.
    pub origin: Origin<'a>,
    /// After so many seconds without a new state, what was measured counts as unavailable; 0 is never.
    pub expire_after: u32,
}

impl<'a> Target<'a> {
    /// As it is set, for the device of this name. `discovery` counts where it is switched on.
    #[must_use]
    pub fn new(settings: &'a settings::Mqtt, name: &'a str, discovery: Discovery<'a>) -> Self {
        Self {
            client_id: settings.client_id(name),
            user: settings.user.as_ref().map(Secret::expose),
            password: settings.password.as_ref().map(Secret::expose),
            topic: settings.topic(),
            format: settings.format,
            discovery: settings.discovery.then_some(discovery),
        }
    }

    /// How many of the readings, from the first on, one message can hold that is no longer than a buffer
    /// of so many bytes. 0 when the first one alone is too long.
    #[must_use]
    pub fn fitting(&self, readings: &[Stamped<'_>], buffer: usize) -> usize {
        let most = match self.format {
            Format::Thingsboard => readings.len(),
            // Each goes to the topic of its meter.
            Format::Classic | Format::Json => 1,
        };
        let readings = readings.get(..most).unwrap_or(readings);
        self.format.fitting(readings, buffer)
    }

    const fn has_availability(&self) -> bool {
        !matches!(self.format, Format::Thingsboard)
    }
}

/// Why a session was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The server says no.
    Refused(Verdict),
    /// The connection is of no use.
    Fault(Fault),
}

/// Why [`Session::idle`] has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// It is as late as was asked for.
    Time,
    /// Home Assistant was started: [`Session::show`] the newest reading of each meter.
    Birth,
}

type Inner<'c, C> = Client<'c, 'c, Buffered<C>, Room, 1, 4, 1, 0, 0, 0, 0>;

/// An open session with a server.
///
/// What it waits for, the server or the network decides, so the caller gives each call time and drops
/// the session when it takes too long. A call that was dropped in the middle of a packet is noticed: the
/// next one says [`Fault::Closed`].
pub struct Session<'c, C: Read + Write, T> {
    client: Inner<'c, C>,
    time: &'c T,
    target: Target<'c>,
    /// When something was sent last.
    spoke: Duration,
    /// When a ping was sent that was not answered yet.
    pinged: Option<Duration>,
    birth: Birth,
    announced: heapless::Vec<u32, METERS>,
    /// A packet was begun, and not ended yet.
    torn: bool,
}

#[derive(Clone, Copy)]
enum Birth {
    Awaited,
    Seen,
    Due(Duration),
}

impl<'c, C: Read + Write, T: Time> Session<'c, C, T> {
    /// Logs in, says `online`, and asks to be told when Home Assistant is started.
    pub async fn open(
        room: &'c mut Room,
        connection: C,
        time: &'c T,
        target: &Target<'c>,
    ) -> Result<Self, OpenError> {
        let mut session = Self {
            client: Client::new(room),
            time,
            target: *target,
            spoke: time.now(),
            pinged: None,
            birth: Birth::Awaited,
            announced: heapless::Vec::new(),
            torn: false,
        };
        session.connect(connection).await?;
        if target.has_availability() {
            match session.say("online").await.map_err(OpenError::Fault)? {
                Verdict::Delivered => {}
                refused => return Err(OpenError::Refused(refused)),
            }
        }
        if target.discovery.is_some() {
            session.subscribe().await.map_err(OpenError::Fault)?;
        }
        Ok(session)
    }

    async fn connect(&mut self, connection: C) -> Result<(), OpenError> {
        const BAD: OpenError = OpenError::Fault(Fault::TooLong);
        let mut options = ConnectOptions::new()
            .clean_start()
            .keep_alive(KeepAlive::Seconds(KEEP_ALIVE))
            .maximum_packet_size(LONGEST_PACKET);
        if let Some(user) = self.target.user {
            options = options.user_name(MqttString::from_str(user).map_err(|_| BAD)?);
        }
        if let Some(password) = self.target.password {
            options = options.password(MqttBinary::try_from(password).map_err(|_| BAD)?);
        }
        let availability = Text::availability(&self.target).ok_or(BAD)?;
        if self.target.has_availability() {
            let topic = topic_name(&availability).ok_or(BAD)?;
            let offline = MqttBinary::try_from("offline").map_err(|_| BAD)?;
            options = options.will(WillOptions::new(topic, offline).at_least_once().retain());
        }
        let id = MqttString::from_str(self.target.client_id).map_err(|_| BAD)?;
        match self
            .client
            .connect(Buffered::new(connection), &options, Some(id))
            .await
        {
            Ok(_) => Ok(()),
            Err(rust_mqtt::client::MqttError::Disconnect { reason, .. }) => {
                Err(OpenError::Refused(verdict(reason)))
            }
            Err(error) => Err(OpenError::Fault(fault(&error))),
        }
    }

    /// Publishes readings, as many as [`Target::fitting`] says at most, and waits for the
    /// acknowledgement.
    ///
    /// That nobody has subscribed to the topic is no refusal.
    pub async fn publish(
        &mut self,
        readings: &[Stamped<'_>],
        buffer: &mut [u8],
    ) -> Result<Verdict, Fault> {
        let Some(first) = readings.first() else {
            return Ok(Verdict::Delivered);
        };
        let topic = Text::of_meter(&self.target, &first.reading).ok_or(Fault::TooLong)?;
        let mut fill = Fill::new(buffer);
        let format = self.target.format;
        format
            .write(readings, &mut fill)
            .map_err(|_| Fault::TooLong)?;
        self.send(&topic, fill.finish(), format == Format::Json)
            .await
    }

    /// Shows the newest reading of a meter to Home Assistant, where that is wanted: announces the meter
    /// unless that was done, and publishes its state.
    ///
    /// A backlog does not belong here: a state has no history.
    pub async fn show(
        &mut self,
        newest: &Stamped<'_>,
        statistics: &[Statistic<'_>],
        buffer: &mut [u8],
    ) -> Result<Verdict, Fault> {
        let Some(discovery) = self.target.discovery else {
            return Ok(Verdict::Delivered);
        };
        let topic = Text::of_state(&self.target, &newest.reading).ok_or(Fault::TooLong)?;
        let fingerprint = homeassistant::fingerprint(newest);
        if !self.announced.contains(&fingerprint) {
            let availability = Text::availability(&self.target).ok_or(Fault::TooLong)?;
            let about = About {
                state_topic: &topic,
                availability_topics: &[&availability],
                expire_after: discovery.expire_after,
                origin: discovery.origin,
                statistics,
            };
            match self.announce(newest, &about, buffer).await? {
                Verdict::Delivered => self.remember(fingerprint),
                refused => return Ok(refused),
            }
        }
        let mut fill = Fill::new(buffer);
        homeassistant::state(newest, statistics, &mut fill).map_err(|_| Fault::TooLong)?;
        self.send(&topic, fill.finish(), true).await
    }

    /// Publishes an event of the device, a line of JSON: beside its availability as `event`, and with
    /// `ThingsBoard` as an attribute.
    pub async fn tell(&mut self, event: &str) -> Result<Verdict, Fault> {
        if self.target.has_availability() {
            let topic = Text::event(&self.target).ok_or(Fault::TooLong)?;
            return self.send(&topic, event.as_bytes(), false).await;
        }
        let attribute = format!("{{\"event\":{event}}}");
        let topic = "v1/devices/me/attributes";
        self.send(topic, attribute.as_bytes(), false).await
    }

    async fn announce(
        &mut self,
        newest: &Stamped<'_>,
        about: &About<'_>,
        buffer: &mut [u8],
    ) -> Result<Verdict, Fault> {
        let topic = Text::of_discovery(&newest.reading).ok_or(Fault::TooLong)?;
        let mut fill = Fill::new(buffer);
        homeassistant::discovery(newest, about, &mut fill).map_err(|_| Fault::TooLong)?;
        self.send(&topic, fill.finish(), true).await
    }

    fn remember(&mut self, fingerprint: u32) {
        if self.announced.is_full() {
            self.announced.remove(0);
        }
        // There is room now.
        let _ = self.announced.push(fingerprint);
    }

    /// Waits until it is so late: pings, and hears what the server says.
    ///
    /// `random` is any number that is evenly spread over the whole range of a `u32`. The future may be
    /// dropped if a read of the connection may: TCP and Mbed TLS lose nothing then.
    pub async fn idle(&mut self, until: Duration, random: u32) -> Result<Woken, Fault> {
        loop {
            let now = self.time.now();
            if let Birth::Seen = self.birth {
                self.birth = Birth::Due(now.saturating_add(share(SPREAD, random)));
            }
            if let Birth::Due(at) = self.birth
                && at <= now
            {
                self.birth = Birth::Awaited;
                self.announced.clear();
                return Ok(Woken::Birth);
            }
            if until <= now {
                return Ok(Woken::Time);
            }
            let next = self.ping(now).await?;
            let next = match self.birth {
                Birth::Due(at) => next.min(at),
                _ => next,
            };
            self.listen(next.min(until)).await?;
        }
    }

    /// Says `offline` and ends the session, so that nobody waits for the last will.
    pub async fn close(mut self) -> Result<(), Fault> {
        if self.target.has_availability() {
            self.say("offline").await?;
        }
        self.client
            .disconnect(&DisconnectOptions::new())
            .await
            .map(drop)
            .map_err(|error| fault(&error))
    }

    /// Pings when it is time to. Returns when there is to be looked again.
    async fn ping(&mut self, now: Duration) -> Result<Duration, Fault> {
        if let Some(pinged) = self.pinged {
            let late = pinged.saturating_add(PATIENCE);
            return if now < late {
                Ok(late)
            } else {
                Err(Fault::Closed)
            };
        }
        // The server may have asked for another interval than ours.
        let seconds = match self.client.shared_config().keep_alive {
            KeepAlive::Seconds(seconds) => seconds.min(KEEP_ALIVE),
            KeepAlive::Infinite => KEEP_ALIVE,
        };
        let due = self.spoke + Duration::from_secs(seconds.get().into()) / 2;
        if now < due {
            return Ok(due);
        }
        self.begin()?;
        self.client.ping().await.map_err(|error| fault(&error))?;
        self.end();
        self.pinged = Some(now);
        Ok(now.saturating_add(PATIENCE))
    }

    /// Hears at most one packet.
    async fn listen(&mut self, until: Duration) -> Result<(), Fault> {
        self.begin()?;
        // Nothing is torn until the header is there.
        self.end();
        let header = match select(self.client.poll_header(), self.time.until(until)).await {
            Either::First(header) => header.map_err(|error| fault(&error))?,
            Either::Second(()) => return Ok(()),
        };
        self.begin()?;
        let body = self.client.poll_body(header);
        let event = self.time.at_most(PATIENCE, pin!(body)).await;
        let event = event.ok_or(Fault::Closed)?.map_err(|error| fault(&error))?;
        self.end();
        note(&event, &mut self.pinged, &mut self.birth);
        Ok(())
    }

    async fn say(&mut self, word: &'static str) -> Result<Verdict, Fault> {
        let topic = Text::availability(&self.target).ok_or(Fault::TooLong)?;
        self.send(&topic, word.as_bytes(), true).await
    }

    async fn subscribe(&mut self) -> Result<(), Fault> {
        let filter = MqttString::from_str(BIRTH_TOPIC)
            .ok()
            .and_then(TopicFilter::new)
            .ok_or(Fault::TooLong)?;
        let options = SubscriptionOptions::new().at_least_once();
        self.begin()?;
        let wanted = self
            .client
            .subscribe(filter, &options)
            .await
            .map_err(|error| fault(&error))?;
        loop {
            match self.client.poll().await.map_err(|error| fault(&error))? {
                // Without a subscription Home Assistant is heard of again with the next session.
                Event::Suback(suback) if suback.packet_identifier == wanted => break,
                event => note(&event, &mut self.pinged, &mut self.birth),
            }
        }
        self.end();
        Ok(())
    }

    /// Publishes a message and waits for the acknowledgement.
    ///
    /// One at a time: a device at rest sends one in ten seconds, and a backlog is paced by its flash.
    async fn send(&mut self, topic: &str, message: &[u8], retain: bool) -> Result<Verdict, Fault> {
        let topic = topic_name(topic).ok_or(Fault::TooLong)?;
        let mut options = PublicationOptions::new(TopicReference::Name(topic)).at_least_once();
        let server = self.client.server_config();
        if server.maximum_qos < QoS::AtLeastOnce {
            return Ok(verdict(rust_mqtt::types::ReasonCode::QoSNotSupported));
        }
        if retain && server.retain_supported {
            options = options.retain();
        }
        self.begin()?;
        let sent = self.client.publish(&options, Bytes::from(message)).await;
        self.spoke = self.time.now();
        let wanted = match sent {
            Ok(identifier) => identifier,
            Err(error) if error.is_recoverable() => {
                self.end();
                return Ok(verdict(rust_mqtt::types::ReasonCode::PacketTooLarge));
            }
            Err(error) => return Err(fault(&error)),
        };
        loop {
            let reason = match self.client.poll().await {
                Ok(Event::PublishAcknowledged(puback))
                    if Some(puback.packet_identifier) == wanted =>
                {
                    puback.reason_code
                }
                Ok(Event::PublishRejected(puback)) if Some(puback.packet_identifier) == wanted => {
                    puback.reason_code
                }
                Ok(event) => {
                    note(&event, &mut self.pinged, &mut self.birth);
                    continue;
                }
                // Some servers answer so instead; the session has ended with it.
                Err(rust_mqtt::client::MqttError::Disconnect { reason, .. })
                    if reason.is_erroneous() =>
                {
                    return Ok(verdict(reason));
                }
                Err(error) => return Err(fault(&error)),
            };
            self.end();
            return Ok(verdict(reason));
        }
    }

    fn begin(&mut self) -> Result<(), Fault> {
        if self.torn {
            return Err(Fault::Closed);
        }
        self.torn = true;
        Ok(())
    }

    const fn end(&mut self) {
        self.torn = false;
    }
}

/// What the server says without being asked.
fn note(event: &Event<'_, 0, 0>, pinged: &mut Option<Duration>, birth: &mut Birth) {
    match event {
        Event::Pingresp => *pinged = None,
        Event::Publish(message) => {
            let online = message.message.as_bytes() == b"online";
            let status = message
                .topic
                .name()
                .is_some_and(|topic| topic.as_ref().as_str() == BIRTH_TOPIC);
            if online && status {
                *birth = Birth::Seen;
            }
        }
        _ => {}
    }
}

fn topic_name(topic: &str) -> Option<TopicName<'_>> {
    TopicName::new(MqttString::from_str(topic).ok()?)
}

/// `random / 2^32` of a time.
fn share(span: Duration, random: u32) -> Duration {
    let millis = u64::try_from(span.as_millis()).unwrap_or(0);
    Duration::from_millis((millis * u64::from(random)) >> 32)
}
