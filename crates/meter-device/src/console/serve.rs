//! Serves the console: prints the log, and does what is asked.

use alloc::boxed::Box;
use alloc::format;
use core::fmt;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read as _, Write as _};
use heapless::String;
use meter_core::Reading;

use super::{Command, Delivery, Done, Event, Help, Info, Meter, Network, Port, Refused};
use crate::board::{Board, Chip, Time as _};
use crate::context::{Context, Shelf, Task};
use crate::improv::{self, Packet, Request, State};
use crate::log::Level;
use crate::network::{Granted, Wish, Wishes};
use crate::outbox::Status;
use crate::settings::{Secret, Settings, WIFIS, Wifi};

/// A line that nobody takes by then is dropped: a cable may be plugged in with nobody behind it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A packet of Improv that pauses for so long is none.
const QUIET: Duration = Duration::from_secs(1);

/// What follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Restart,
}

/// What the console works with.
struct Console<'c, 'b, B: Board, const SECTORS: usize> {
    context: &'c Context<'b, B>,
    outbox: Option<&'c Shelf<B, SECTORS>>,
    wishes: &'c Wishes,
    paper: B::Paper,
}

/// Serves until the device is to be started anew. Without an outbox, where that could not be opened.
pub async fn run<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: Option<&Shelf<B, SECTORS>>,
    wishes: &Wishes,
    mut keyboard: B::Keyboard,
    paper: B::Paper,
) {
    let mut console = Console {
        context,
        outbox,
        wishes,
        paper,
    };
    let mut port = Port::new();
    let mut typed = [0; 64];
    let mut line = [0; 256];
    loop {
        context.alive(Task::Console);
        let heard = select(keyboard.read(&mut typed), context.log.lines(&mut line));
        match context.time.at_most(QUIET, heard).await {
            Some(Either::First(Ok(count))) => {
                for octet in typed.get(..count).unwrap_or_default() {
                    if let Some(event) = port.push(*octet)
                        && console.obey(event).await == Then::Restart
                    {
                        return;
                    }
                }
            }
            // A cable that was pulled out may come back.
            Some(Either::First(Err(_))) => context.time.pause(QUIET).await,
            Some(Either::Second(count)) => console.print_log(&mut line, count).await,
            None => port.quiet(),
        }
    }
}

impl<B: Board, const SECTORS: usize> Console<'_, '_, B, SECTORS> {
    /// Prints a piece of the log, up to the end of its line.
    async fn print_log(&mut self, line: &mut [u8], mut count: usize) {
        loop {
            let piece = line.get(..count).unwrap_or_default();
            let is_whole = piece.ends_with(b"\n");
            let time = self.context.time;
            let written = time.at_most(PATIENCE, self.paper.write_all(piece)).await;
            // The rest of the line is there already.
            if is_whole || written.is_none() {
                break;
            }
            count = self.context.log.lines(line).await;
        }
        self.flush().await;
    }

    async fn flush(&mut self) {
        // Who does not listen misses it.
        let _ = self
            .context
            .time
            .at_most(PATIENCE, self.paper.flush())
            .await;
    }

    /// Writes, and says whether somebody took it.
    async fn write(&mut self, octets: &[u8]) -> bool {
        for piece in octets.chunks(256) {
            let write = self.paper.write_all(piece);
            if self.context.time.at_most(PATIENCE, write).await.is_none() {
                return false;
            }
        }
        true
    }

    /// Prints an answer on a line of its own.
    async fn say(&mut self, answer: impl fmt::Display) {
        let text = format!("{answer}\n");
        self.write(text.as_bytes()).await;
        self.flush().await;
    }

    async fn send(&mut self, packet: Packet) {
        self.write(packet.octets()).await;
        self.flush().await;
    }

    async fn obey(&mut self, event: Event<'_>) -> Then {
        match event {
            Event::Command(command) => return self.carry_out(command).await,
            Event::BadLine(bad) => self.say(Refused(bad.name(), bad)).await,
            Event::Improv(request) => self.improv(request).await,
            Event::BadPacket(error) => self.send(Packet::error(error)).await,
        }
        Then::GoOn
    }

    async fn carry_out(&mut self, command: Command<'_>) -> Then {
        let context = self.context;
        match command {
            Command::Info => self.info().await,
            Command::Help => self.say(Help).await,
            Command::Log => self.log().await,
            Command::Accept => {
                context.accept.set(true);
                self.say(Done::Accepted).await;
            }
            Command::Configure(json) => match Settings::accept(json) {
                Ok(settings) => {
                    let saved = context.safe.lock().await.save(&settings).await;
                    match saved {
                        Ok(()) => {
                            self.say(Done::Configured).await;
                            return Then::Restart;
                        }
                        Err(error) => self.say(Refused(command.name(), error)).await,
                    }
                }
                Err(refused) => self.say(Refused(command.name(), refused)).await,
            },
            Command::Restart => {
                self.say(Done::Restarting).await;
                return Then::Restart;
            }
            Command::Forget => {
                let forgotten = context.safe.lock().await.forget().await;
                match forgotten {
                    Ok(()) => {
                        self.say(Done::Forgotten).await;
                        return Then::Restart;
                    }
                    Err(error) => self.say(Refused(command.name(), error)).await,
                }
            }
        }
        Then::GoOn
    }

    async fn log(&mut self) {
        let context = self.context;
        let mut ring = context.ring.lock().await;
        self.write(b"{\"log\":[").await;
        if let Some(ring) = ring.as_mut() {
            let mut comma: &[u8] = b"";
            ring.read(async |entry| {
                context.alive(Task::Console);
                // The ring is wanted elsewhere: nobody waits for who does not listen.
                let taken = self.write(comma).await && self.write(entry.as_bytes()).await;
                comma = b",";
                taken
            })
            .await;
        }
        self.write(b"]}\n").await;
        self.flush().await;
    }

    async fn info(&mut self) {
        let context = self.context;
        let outbox = match self.outbox {
            Some(outbox) => outbox.lock().await.status(),
            None => Status::default(),
        };
        let now = context.now();
        let text = {
            let settings = context.settings.borrow();
            let link = context.link.borrow();
            let latest = context.latest.borrow();
            let delivery = context.delivery.borrow();
            let chip = context.chip.borrow();
            let reading = latest.reading();
            let info = Info {
                firmware: context.version,
                board: B::Chip::NAME,
                boot: context.number,
                start: context.start,
                uptime: now,
                time: context.utc(),
                network: link.address.map(|address| Network {
                    ssid: Some(&link.ssid),
                    signal_dbm: link.signal_dbm,
                    address,
                }),
                meter: reading.as_ref().map(|reading| Meter {
                    id: Reading::meter_id(reading),
                    age: now.saturating_sub(latest.at),
                    is_suspect: context.suspect.get(),
                }),
                overrun: chip.overrun(),
                outbox,
                delivery: Delivery {
                    last: delivery.at.map(|at| now.saturating_sub(at)),
                    error: delivery.fault.as_ref().map(|fault| fault.text.as_str()),
                    delivered: delivery.delivered,
                    refused: delivery.refused,
                    repeated: delivery.repeated,
                },
                memory: chip.memory(),
                settings: &settings,
                settings_error: context.settings_error.as_deref(),
            };
            format!("{info}")
        };
        self.say(text).await;
    }

    async fn improv(&mut self, request: Request<'_>) {
        let context = self.context;
        let command = request.command();
        match request {
            Request::Wifi { ssid, password } => self.provision(ssid, password).await,
            Request::State => {
                if context.is_online() {
                    self.send(Packet::state(State::Provisioned)).await;
                    // Browsers wait for it, and for no answer to another command.
                    self.send(Packet::answer(command, &[])).await;
                } else {
                    self.send(Packet::state(State::Ready)).await;
                }
            }
            Request::Info => {
                let name = context.settings.borrow().name.clone();
                let texts = ["meterline", context.version, B::Chip::NAME, &name];
                self.send(Packet::answer(command, &texts)).await;
            }
            Request::Scan => {
                if let Granted::Scan(found) = self.wishes.ask(self.context, Wish::Scan).await {
                    for wifi in &found {
                        let packet = Packet::network(&wifi.ssid, wifi.signal_dbm, wifi.locked);
                        self.send(packet).await;
                    }
                }
                self.send(Packet::answer(command, &[])).await;
            }
            Request::HostName(new) | Request::DeviceName(new) => {
                self.rename(command, new).await;
            }
            Request::Network => {
                let flags = if context.is_online() { "3" } else { "2" };
                self.send(Packet::answer(command, &[flags])).await;
            }
        }
    }

    async fn provision(&mut self, ssid: &str, password: &str) {
        let (Ok(ssid), Some(password)) = (String::try_from(ssid), Secret::new(password)) else {
            return self.send(Packet::error(improv::Error::Unknown)).await;
        };
        let wifi = Wifi { ssid, password };
        self.send(Packet::state(State::Provisioning)).await;
        let joined = self
            .wishes
            .ask(self.context, Wish::Join(wifi.clone()))
            .await;
        if !matches!(joined, Granted::Join(Ok(_))) {
            self.send(Packet::error(improv::Error::CannotConnect)).await;
            return self.send(Packet::state(State::Ready)).await;
        }
        let mut settings = self.context.settings.borrow().clone();
        settings.wifi.retain(|known| known.ssid != wifi.ssid);
        settings.wifi.truncate(WIFIS - 1);
        // There is room now.
        let _ = settings.wifi.insert(0, wifi);
        if self.keep(settings).await {
            self.send(Packet::state(State::Provisioned)).await;
            let answer = Packet::answer(improv::Command::Wifi, &[]);
            self.send(answer).await;
        } else {
            self.send(Packet::error(improv::Error::Unknown)).await;
        }
    }

    async fn rename(&mut self, command: improv::Command, new: Option<&str>) {
        if let Some(new) = new {
            let mut settings = self.context.settings.borrow().clone();
            let named = String::try_from(new).map(|name| settings.name = name);
            if named.is_err() || settings.check().is_err() {
                return self.send(Packet::error(improv::Error::BadHostName)).await;
            }
            if !self.keep(settings).await {
                return self.send(Packet::error(improv::Error::Unknown)).await;
            }
        }
        let name = self.context.settings.borrow().name.clone();
        self.send(Packet::answer(command, &[&name])).await;
    }

    /// Stores settings and uses them, and says whether that was possible.
    async fn keep(&mut self, settings: Box<Settings>) -> bool {
        let saved = self.context.safe.lock().await.save(&settings).await;
        if let Err(error) = saved {
            self.context.say(Level::Error, format_args!("{error}"));
            return false;
        }
        *self.context.settings.borrow_mut() = settings;
        true
    }
}
