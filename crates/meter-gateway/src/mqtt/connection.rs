use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::event::TimerKind;
use mqtt_protocol_core::mqtt::connection::{Connection as Core, Event};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait as _, Packet};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use mqtt_protocol_core::mqtt::role::Client;
use tokio::io::{AsyncRead as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::packet::{self, Said};
use super::puback::Pubacks;
use super::stream::Stream;
use super::{Fault, Publication, Reason, Sort, Version};

/// An open connection with a broker that has let us in.
///
/// It works only while one of its methods is awaited. [`next`](Self::next) may be dropped at any time, and
/// nothing is lost by it.
pub(crate) struct Connection {
    pub(super) stream: Stream,
    pub(super) core: Core<Client>,
    pub(super) version: Version,
    /// What was read last.
    pub(super) input: Box<[u8]>,
    /// What is still to be written.
    pub(super) output: BytesMut,
    pub(super) flushed: bool,
    pub(super) heard: VecDeque<Said>,
    pub(super) pubacks: Pubacks,
    /// Why there is no connection any more.
    pub(super) ended: Option<Fault>,
    pub(super) patience: Duration,
    /// When the broker has to be told that we are still here.
    pub(super) ping: Option<Instant>,
    /// Until when it has to answer that.
    pub(super) pong: Option<Instant>,
    pub(super) in_flight: u16,
    pub(super) at_once: u16,
}

/// What a broker says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It has the message with this number, or says why not.
    Acknowledged { id: u16, reason: Reason },
    /// Somebody has published something.
    Message(Message),
}

/// A message from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    /// Whether it was published before we subscribed.
    pub(crate) retained: bool,
}

/// Why a message cannot be published; the connection is as good as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsent {
    /// It is longer than the broker takes.
    #[error("the message is longer than the broker takes")]
    TooLong,
    /// The topic, or the protocol, forbids it.
    #[error("there cannot be such a message")]
    Never,
}

impl Connection {
    /// The version that is spoken.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// How many more messages may be on their way. None while [`next`](Self::next) has not told all
    /// acknowledgements that came: their numbers are free again, and a message that got one of them would
    /// be taken for acknowledged.
    pub(crate) fn room(&self) -> u16 {
        let untold = |said: &Said| matches!(said, Said::Acknowledged { .. });
        if self.heard.iter().any(untold) {
            return 0;
        }
        self.at_once.saturating_sub(self.in_flight)
    }

    /// Puts a message on its way. One that has to be acknowledged gets a number, by which
    /// [`Heard::Acknowledged`] names it; there must be [`room`](Self::room) for it.
    pub(crate) fn publish(&mut self, publication: Publication) -> Result<Option<u16>, Unsent> {
        let id = if publication.acknowledged {
            Some(self.core.acquire_packet_id().map_err(|_| Unsent::Never)?)
        } else {
            None
        };
        let sent = packet::publish(publication, id, self.version).and_then(|packet| {
            let events = self.core.send(packet);
            self.follow(events)
        });
        match sent {
            Ok(()) => {
                self.in_flight += u16::from(id.is_some());
                Ok(id)
            }
            Err(MqttError::PacketTooLarge) => Err(Unsent::TooLong),
            Err(_) => Err(Unsent::Never),
        }
    }

    /// Waits until the broker says something, and keeps the connection alive meanwhile. May be dropped.
    pub(crate) async fn next(&mut self) -> Result<Heard, Fault> {
        loop {
            match self.heard.pop_front() {
                Some(Said::Acknowledged { id, reason }) => {
                    self.in_flight = self.in_flight.saturating_sub(1);
                    return Ok(Heard::Acknowledged { id, reason });
                }
                Some(Said::Message { message, id }) => {
                    // Only now is it taken: the broker must not send faster than that.
                    if let Some(id) = id {
                        let packet = packet::acknowledge(id, self.version)?;
                        let events = self.core.send(packet);
                        self.follow(events).map_err(packet::protocol)?;
                    }
                    return Ok(Heard::Message(message));
                }
                Some(Said::Ended(reason)) => return Err(Fault::Ended(reason)),
                Some(_) => {}
                None => self.turn().await?,
            }
        }
    }

    /// Waits until everything is written, without an answer. May be dropped.
    pub(crate) async fn flush(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + self.patience;
        while !(self.output.is_empty() && self.flushed) {
            let limit = self.patience;
            timeout_at(until, self.turn())
                .await
                .unwrap_or(Err(Fault::TimedOut { limit }))?;
        }
        Ok(())
    }

    /// Asks for all messages of a topic. Those that come before the answer are kept.
    pub(crate) async fn subscribe(&mut self, filter: &str) -> Result<(), Fault> {
        let id = self.core.acquire_packet_id().map_err(packet::protocol)?;
        let packet = packet::subscribe(filter, id, self.version)?;
        let events = self.core.send(packet);
        self.follow(events).map_err(packet::protocol)?;
        let until = Instant::now() + self.patience;
        loop {
            let answer = self.heard.iter().enumerate().find_map(|(index, said)| {
                let Said::Subscribed { reason } = said else {
                    return None;
                };
                Some((index, *reason))
            });
            if let Some((index, reason)) = answer {
                self.heard.remove(index);
                return match reason.sort() {
                    Sort::Taken => Ok(()),
                    _ => Err(Fault::Subscription {
                        filter: filter.to_owned(),
                        reason,
                    }),
                };
            }
            let limit = self.patience;
            timeout_at(until, self.turn())
                .await
                .unwrap_or(Err(Fault::TimedOut { limit }))?;
        }
    }

    /// Says goodbye, so that the broker does not publish the last will.
    pub(crate) async fn close(mut self) -> Result<(), Fault> {
        let events = self.core.send(packet::disconnect(self.version)?);
        self.follow(events).map_err(packet::protocol)?;
        self.flush().await?;
        self.stream.shutdown().await.map_err(Fault::of)
    }

    /// Reads, writes and pings, until something has come of it. May be dropped.
    async fn turn(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.ended.take() {
            return Err(fault);
        }
        let due = [self.ping, self.pong].into_iter().flatten().min();
        let count = match due {
            None => self.io().await,
            Some(due) => tokio::select! {
                biased;
                count = self.io() => count,
                () = sleep_until(due) => return self.ring(),
            },
        };
        let count = count.map_err(|fault| self.last_word().unwrap_or(fault))?;
        self.take(count);
        Ok(())
    }

    /// What the broker said before it hung up.
    fn last_word(&self) -> Option<Fault> {
        self.heard.iter().find_map(|said| match said {
            Said::Ended(reason) => Some(Fault::Ended(*reason)),
            _ => None,
        })
    }

    /// It is time for a ping, or too late for its answer.
    fn ring(&mut self) -> Result<(), Fault> {
        let now = Instant::now();
        if self.pong.is_some_and(|pong| pong <= now) {
            let limit = self.patience;
            return Err(Fault::TimedOut { limit });
        }
        self.ping = None;
        let events = self.core.notify_timer_fired(TimerKind::PingreqSend);
        self.follow(events).map_err(packet::protocol)
    }

    /// Returns when something was read, or everything written. May be dropped.
    pub(super) async fn io(&mut self) -> Result<usize, Fault> {
        poll_fn(|cx| self.poll_io(cx)).await
    }

    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Fault>> {
        // A broker that does not read must still be heard: it may be saying why.
        let wrote = match self.poll_write(cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::of(error))),
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Pending => false,
        };
        let mut buffer = ReadBuf::new(&mut self.input);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                Poll::Ready(Err(Fault::Closed("")))
            }
            Poll::Ready(Ok(())) => Poll::Ready(Ok(buffer.filled().len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(Fault::of(error))),
            Poll::Pending if wrote => Poll::Ready(Ok(0)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes what there is; whether that was anything.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut stream = Pin::new(&mut self.stream);
        let some = !(self.output.is_empty() && self.flushed);
        while !self.output.is_empty() {
            let count = ready!(stream.as_mut().poll_write(cx, &self.output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(count);
            self.flushed = false;
        }
        if !self.flushed {
            ready!(stream.poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(some))
    }

    /// Takes in so many bytes that were read.
    pub(super) fn take(&mut self, count: usize) {
        let mut input = std::mem::take(&mut self.input);
        let read = input.get_mut(..count).unwrap_or_default();
        self.pubacks.read(read);
        self.decode(read);
        self.input = input;
    }

    fn decode(&mut self, bytes: &[u8]) {
        let mut cursor = Cursor::new(bytes);
        while usize::try_from(cursor.position()).is_ok_and(|position| position < bytes.len())
            && self.ended.is_none()
        {
            let events = self.core.recv(&mut cursor);
            if let Err(error) = self.follow(events) {
                self.ended = Some(packet::protocol(error));
            }
        }
    }

    /// Does what the protocol wants done.
    pub(super) fn follow(&mut self, events: Vec<Event>) -> Result<(), MqttError> {
        let mut result = Ok(());
        for event in events {
            match event {
                Event::NotifyPacketReceived(packet) => {
                    let mut said = packet::said(&packet);
                    if let Said::Acknowledged { id, reason } = &mut said {
                        *reason = self.pubacks.reason(*id, *reason);
                    }
                    self.heard.push_back(said);
                }
                Event::RequestSendPacket { packet, .. } => self.write(&packet),
                Event::RequestTimerReset { kind, duration_ms } => {
                    let at = Instant::now() + Duration::from_millis(duration_ms);
                    self.set_timer(kind, Some(at));
                }
                Event::RequestTimerCancel(kind) => self.set_timer(kind, None),
                Event::NotifyError(error) => result = Err(error),
                Event::NotifyPacketIdReleased(_) => {}
                Event::RequestClose => {
                    self.ended.get_or_insert(Fault::Closed(""));
                }
            }
        }
        result
    }

    fn write(&mut self, packet: &Packet) {
        for piece in packet.to_buffers() {
            self.output.extend_from_slice(&piece);
        }
    }

    fn set_timer(&mut self, kind: TimerKind, at: Option<Instant>) {
        match kind {
            TimerKind::PingreqSend => self.ping = at,
            TimerKind::PingrespRecv => self.pong = at,
            TimerKind::PingreqRecv => {}
        }
    }
}
