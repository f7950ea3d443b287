//! What fits its type and would not work.

use core::fmt;

use super::{
    Format, JSON_BYTES, MASK, Mqtt, Output, Rest, Seconds, Secret, Settings, VERSION, Wifi,
};
use crate::url::UrlError;

/// Something that would not work: which key, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The version is another one than [`VERSION`].
    Version(u16),
    /// The name is no host name.
    Name,
    /// The Wi-Fi at this place has no name.
    SsidEmpty(usize),
    /// The Wi-Fi at this place stands there before.
    SsidTwice(usize),
    /// The password of the Wi-Fi at this place has a length that no Wi-Fi takes.
    WifiPassword(usize),
    /// A Wi-Fi would be asked for more seldom than [`Mistake::LONGEST_INTERVAL`].
    Interval,
    /// There is no time server, and without the time no certificate can be checked.
    NoTimeServer,
    /// The time server at this place is no `HOST` or `HOST:PORT`.
    TimeServer(usize),
    /// The URL is none.
    Url(UrlError),
    /// The URL is not encrypted, and nobody has allowed that.
    UrlInsecure,
    /// The header is empty or holds control characters.
    Authorization,
    /// The broker's name is empty or more than a name.
    BrokerHost,
    /// No server listens at port 0.
    BrokerPort,
    /// The key needs the other one beside it.
    Alone(&'static str, &'static str),
    /// The key is there and empty.
    Empty(&'static str),
    /// The topic has characters that nobody may publish to.
    Topic,
    /// Home Assistant reads nothing but JSON.
    Discovery,
    /// No place is so far from UTC.
    UtcOffset,
    /// A guard with this power would refuse every reading.
    MaxPower,
    /// The value at this key is what stands there instead of a secret.
    Masked(&'static str),
    /// All together, these bytes, is more than the flash can hold at once.
    TooLong(usize),
}

impl Mistake {
    /// The longest interval.
    pub const LONGEST_INTERVAL: Seconds = Seconds(3600);

    /// The key that is wrong, with those above it.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Version(_) => "version",
            Self::Name => "name",
            Self::SsidEmpty(_) | Self::SsidTwice(_) => "wifi.ssid",
            Self::WifiPassword(_) => "wifi.password",
            Self::Interval => "interval",
            Self::NoTimeServer | Self::TimeServer(_) => "time.servers",
            Self::Url(_) | Self::UrlInsecure => "output.url",
            Self::Authorization => "output.authorization",
            Self::BrokerHost => "output.host",
            Self::BrokerPort => "output.port",
            Self::Alone(key, _) | Self::Empty(key) | Self::Masked(key) => key,
            Self::Topic => "output.topic",
            Self::Discovery => "output.discovery",
            Self::UtcOffset => "display.utc_offset_minutes",
            Self::MaxPower => "guard.max_power",
            Self::TooLong(_) => "",
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key().is_empty() {
            write!(f, "{}: ", self.key())?;
        }
        match self {
            Self::Version(version) => {
                write!(f, "must be {VERSION}, or left out, and is {version}")
            }
            Self::Name => f.write_str(
                "must have 1 to 32 letters, digits and `-`, and neither begin nor end with `-`",
            ),
            Self::SsidEmpty(at) => write!(f, "the name of Wi-Fi {} is empty", at + 1),
            Self::SsidTwice(at) => write!(f, "Wi-Fi {} stands there before: leave one out", at + 1),
            Self::WifiPassword(at) => write!(
                f,
                "the password of Wi-Fi {} must have 8 to 63 characters of ASCII, or 64 hexadecimal digits; leave it out for an open network",
                at + 1
            ),
            Self::Interval => write!(f, "must be \"{}\" at most", Self::LONGEST_INTERVAL),
            Self::NoTimeServer => f.write_str(
                "there must be one at least: without the time no certificate can be checked",
            ),
            Self::TimeServer(at) => {
                write!(f, "time server {} must be HOST or HOST:PORT", at + 1)
            }
            Self::Url(error) => error.fmt(f),
            Self::UrlInsecure => f.write_str(
                "must begin with https://, or set allow_insecure = true if everybody on the way may read and change the readings",
            ),
            Self::Authorization => f.write_str(
                "must be the value of the header in ASCII, such as \"Bearer TOKEN\"",
            ),
            Self::BrokerHost => {
                f.write_str("must be a name or address alone; the port has a key of its own")
            }
            Self::BrokerPort => f.write_str("must be from 1 to 65535"),
            Self::Alone(_, other) => write!(f, "needs {other} beside it"),
            Self::Empty(_) => f.write_str("is empty: leave it out, or fill it in"),
            Self::Topic => f.write_str(
                "must be a topic without `+`, `#` and control characters; {meter} in it stands for the meter's id, other braces for nothing",
            ),
            Self::Discovery => f.write_str("needs format = \"json\""),
            Self::UtcOffset => f.write_str("must be from -720 to 840"),
            Self::MaxPower => f.write_str(
                "must be the highest power in W that the fuses allow, more than 0; to refuse nothing set enabled = false",
            ),
            Self::Masked(_) => write!(
                f,
                "`{MASK}` stands there instead of the secret: write the secret itself"
            ),
            Self::TooLong(bytes) => write!(
                f,
                "the settings have {bytes} bytes, and {JSON_BYTES} fit: most of it is the certificate, so use a smaller one"
            ),
        }
    }
}

impl core::error::Error for Mistake {}

impl Settings {
    /// Finds what would not work.
    pub fn check(&self) -> Result<(), Mistake> {
        if self.version != VERSION {
            return Err(Mistake::Version(self.version));
        }
        if !is_host_name(&self.name) {
            return Err(Mistake::Name);
        }
        check_wifi(&self.wifi)?;
        if self.interval > Mistake::LONGEST_INTERVAL {
            return Err(Mistake::Interval);
        }
        if self.time.servers.is_empty() {
            return Err(Mistake::NoTimeServer);
        }
        if let Some(at) = self.time.servers.iter().position(|name| !is_server(name)) {
            return Err(Mistake::TimeServer(at));
        }
        match &self.output {
            Some(Output::Rest(rest)) => check_rest(rest)?,
            Some(Output::Mqtt(mqtt)) => check_mqtt(mqtt)?,
            None => {}
        }
        if !(-720..=840).contains(&self.display.utc_offset_minutes) {
            return Err(Mistake::UtcOffset);
        }
        if self.guard.enabled && self.guard.max_power == 0 {
            return Err(Mistake::MaxPower);
        }
        match self.json_length() {
            0..=JSON_BYTES => Ok(()),
            bytes => Err(Mistake::TooLong(bytes)),
        }
    }
}

fn check_wifi(networks: &[Wifi]) -> Result<(), Mistake> {
    for (at, wifi) in networks.iter().enumerate() {
        let password = wifi.password.expose();
        if wifi.ssid.is_empty() {
            return Err(Mistake::SsidEmpty(at));
        }
        if networks
            .iter()
            .take(at)
            .any(|other| other.ssid == wifi.ssid)
        {
            return Err(Mistake::SsidTwice(at));
        }
        if password == MASK {
            return Err(Mistake::Masked("wifi.password"));
        }
        let fits = match password.len() {
            0 => true,
            8..=63 => password.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            64 => password.bytes().all(|byte| byte.is_ascii_hexdigit()),
            _ => false,
        };
        if !fits {
            return Err(Mistake::WifiPassword(at));
        }
    }
    Ok(())
}

fn check_rest(rest: &Rest) -> Result<(), Mistake> {
    let url = rest.url().map_err(Mistake::Url)?;
    if !url.is_https() && !rest.allow_insecure {
        return Err(Mistake::UrlInsecure);
    }
    if url.path().strip_prefix('/') == Some(MASK) {
        return Err(Mistake::Masked("output.url"));
    }
    let authorization = rest.authorization.as_ref();
    not_masked(authorization, "output.authorization")?;
    if authorization.is_some_and(|value| !is_header(value.expose())) {
        return Err(Mistake::Authorization);
    }
    Ok(())
}

fn check_mqtt(mqtt: &Mqtt) -> Result<(), Mistake> {
    if !is_host(&mqtt.host) {
        return Err(Mistake::BrokerHost);
    }
    if mqtt.port == 0 {
        return Err(Mistake::BrokerPort);
    }
    not_masked(mqtt.user.as_ref(), "output.user")?;
    not_masked(mqtt.password.as_ref(), "output.password")?;
    if mqtt.user.as_ref().is_some_and(Secret::is_empty) {
        return Err(Mistake::Empty("output.user"));
    }
    if mqtt.password.is_some() && mqtt.user.is_none() {
        return Err(Mistake::Alone("output.password", "user"));
    }
    if mqtt.client_id.as_ref().is_some_and(|id| id.is_empty()) {
        return Err(Mistake::Empty("output.client_id"));
    }
    if !is_topic(mqtt.topic()) {
        return Err(Mistake::Topic);
    }
    if mqtt.discovery && mqtt.format != Format::Json {
        return Err(Mistake::Discovery);
    }
    Ok(())
}

fn not_masked<const N: usize>(
    secret: Option<&Secret<N>>,
    key: &'static str,
) -> Result<(), Mistake> {
    if secret.is_some_and(|secret| secret.expose() == MASK) {
        return Err(Mistake::Masked(key));
    }
    Ok(())
}

/// A single label of a host name (RFC 1123, section 2.1), since others see it on the network.
fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A name with dots, or an address.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .split('.')
            .all(|label| is_host_name(label.trim_matches('_')))
}

/// `HOST` or `HOST:PORT`.
fn is_server(server: &str) -> bool {
    match server.split_once(':') {
        None => is_host(server),
        Some((host, port)) => is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0),
    }
}

fn is_header(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// A topic that one may publish to (MQTT 5, section 4.7), with `{meter}` at most.
fn is_topic(topic: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !matches!(c, '+' | '#' | '{' | '}');
    let mut parts = topic.split("{meter}");
    !topic.is_empty() && parts.all(|part| part.chars().all(allowed))
}
