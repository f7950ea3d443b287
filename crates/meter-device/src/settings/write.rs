//! Settings as JSON: whole for the flash, and without secrets for people.

use core::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meter_core::payload::JsonString;

use super::{Authority, MASK, Mqtt, Output, Rest, Secret, Settings};

/// Settings as JSON that people may see.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Settings);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, View::People, f)
    }
}

/// Who is going to read it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// The device itself, later.
    Flash,
    /// Anybody.
    People,
}

impl Settings {
    /// Writes them whole, secrets included: for the flash, and for the line to the device.
    ///
    /// `None` when they do not fit into `out`; [`JSON_BYTES`](super::JSON_BYTES) are enough for what
    /// [`check`](Self::check) lets through.
    #[must_use]
    pub fn to_json<'b>(&self, out: &'b mut [u8]) -> Option<&'b str> {
        let mut slice = Slice { out, used: 0 };
        write(self, View::Flash, &mut slice).ok()?;
        let Slice { out, used } = slice;
        core::str::from_utf8(out.get(..used)?).ok()
    }

    /// How long the JSON with all secrets is.
    pub(super) fn json_length(&self) -> usize {
        let mut count = Count(0);
        // Counting does not fail.
        let _ = write(self, View::Flash, &mut count);
        count.0
    }
}

struct Slice<'b> {
    out: &'b mut [u8],
    used: usize,
}

impl Write for Slice<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.used + text.len();
        let room = self.out.get_mut(self.used..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}

struct Count(usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

fn write(settings: &Settings, view: View, out: &mut impl Write) -> fmt::Result {
    let Settings {
        version,
        name,
        wifi,
        interval,
        time,
        output,
        display,
        guard,
    } = settings;
    write!(
        out,
        "{{\"version\":{version},\"name\":{},\"wifi\":[",
        JsonString(name)
    )?;
    for (index, wifi) in wifi.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}{{\"ssid\":{}", JsonString(&wifi.ssid))?;
        if !wifi.password.is_empty() {
            secret(out, "password", &wifi.password, view)?;
        }
        out.write_char('}')?;
    }
    write!(
        out,
        "],\"interval\":\"{interval}\",\"time\":{{\"servers\":["
    )?;
    for (index, server) in time.servers.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}{}", JsonString(server))?;
    }
    out.write_str("]}")?;
    match output {
        None => {}
        Some(Output::Rest(output)) => rest(output, view, out)?,
        Some(Output::Mqtt(output)) => mqtt(output, view, out)?,
    }
    write!(
        out,
        ",\"display\":{{\"utc_offset_minutes\":{},\"summer_time\":{},\"dim_after\":\"{}\",\
         \"sleep_after\":\"{}\"}}",
        display.utc_offset_minutes, display.summer_time, display.dim_after, display.sleep_after
    )?;
    write!(
        out,
        ",\"guard\":{{\"enabled\":{},\"max_power\":{}}}}}",
        guard.enabled, guard.max_power
    )
}

fn rest(output: &Rest, view: View, out: &mut impl Write) -> fmt::Result {
    let Rest {
        url,
        format,
        authorization,
        allow_insecure,
        ca,
    } = output;
    out.write_str(",\"output\":{\"rest\":{\"url\":")?;
    match view {
        View::Flash => write!(out, "{}", JsonString(url.expose()))?,
        View::People => match output.url() {
            Ok(url) => write!(out, "{}", JsonString(format_args!("{url}/{MASK}")))?,
            Err(_) => write!(out, "\"{MASK}\"")?,
        },
    }
    write!(out, ",\"format\":\"{}\"", format.as_str())?;
    if let Some(authorization) = authorization {
        secret(out, "authorization", authorization, view)?;
    }
    tail(*allow_insecure, ca.as_ref(), view, out)
}

fn mqtt(output: &Mqtt, view: View, out: &mut impl Write) -> fmt::Result {
    let Mqtt {
        host,
        port,
        user,
        password,
        client_id,
        topic,
        format,
        discovery,
        allow_insecure,
        ca,
    } = output;
    write!(
        out,
        ",\"output\":{{\"mqtt\":{{\"host\":{},\"port\":{port}",
        JsonString(host)
    )?;
    if let Some(user) = user {
        secret(out, "user", user, view)?;
    }
    if let Some(password) = password {
        secret(out, "password", password, view)?;
    }
    if let Some(client_id) = client_id {
        write!(out, ",\"client_id\":{}", JsonString(client_id))?;
    }
    if let Some(topic) = topic {
        write!(out, ",\"topic\":{}", JsonString(topic))?;
    }
    write!(
        out,
        ",\"format\":\"{}\",\"discovery\":{discovery}",
        format.as_str()
    )?;
    tail(*allow_insecure, ca.as_ref(), view, out)
}

/// What both outputs end with.
fn tail(
    allow_insecure: bool,
    ca: Option<&Authority>,
    view: View,
    out: &mut impl Write,
) -> fmt::Result {
    write!(out, ",\"allow_insecure\":{allow_insecure}")?;
    match (ca, view) {
        (None, _) => {}
        (Some(ca), View::People) => write!(out, ",\"ca\":\"{} bytes\"", ca.der().len())?,
        (Some(ca), View::Flash) => {
            out.write_str(",\"ca\":\"")?;
            base64(ca.der(), out)?;
            out.write_char('"')?;
        }
    }
    out.write_str("}}")
}

fn secret<const N: usize>(
    out: &mut impl Write,
    key: &str,
    secret: &Secret<N>,
    view: View,
) -> fmt::Result {
    match view {
        View::Flash => write!(out, ",\"{key}\":{}", JsonString(secret.expose())),
        View::People => write!(out, ",\"{key}\":\"{MASK}\""),
    }
}

fn base64(octets: &[u8], out: &mut impl Write) -> fmt::Result {
    // Multiples of three octets stand for themselves, so the pieces join without padding.
    for piece in octets.chunks(48) {
        let mut text = [0; 64];
        let length = STANDARD
            .encode_slice(piece, &mut text)
            .map_err(|_| fmt::Error)?;
        let text = text.get(..length).unwrap_or_default();
        out.write_str(core::str::from_utf8(text).map_err(|_| fmt::Error)?)?;
    }
    Ok(())
}
