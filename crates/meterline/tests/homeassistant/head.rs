//! A read head in front of a simulated meter, behind a serial server on the network.

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use meter_core::ServerId;
use meter_sim::{Faults, Line, Meter, Telegram};

use crate::program::Outcome;

/// The program takes no time to connect.
const LIMIT: Duration = Duration::from_secs(20);
/// At both ends of a frame there are marks; a frame without one is no frame.
const MARK: usize = 16;

/// A meter that speaks when it is told to.
pub struct Head {
    pub meter: Meter,
    line: Line,
    listener: TcpListener,
    reader: Option<TcpStream>,
    /// Telegrams that came through to the program that runs, and such whose checksum did not.
    pub good: u64,
    pub bad: u64,
}

impl Head {
    pub fn new(meter: Meter) -> Result<Self, Box<dyn Error>> {
        let faults = Faults {
            flipped: 0.005,
            ..Faults::NONE
        };
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            meter,
            line: Line::new(faults, 1),
            listener,
            reader: None,
            good: 0,
            bad: 0,
        })
    }

    pub fn address(&self) -> Result<SocketAddr, Box<dyn Error>> {
        Ok(self.listener.local_addr()?)
    }

    /// The meter as it is called in topics and ids.
    pub fn id(&self) -> String {
        let id = ServerId(self.meter.server_id()).meter_id();
        id.compact().to_string()
    }

    /// The program has ended.
    pub fn hang_up(&mut self) {
        self.reader = None;
        (self.good, self.bad) = (0, 0);
    }

    /// Sends a telegram over a line without faults.
    pub fn speak(&mut self) -> Result<Telegram, Box<dyn Error>> {
        let telegram = self.meter.telegram();
        self.send(&telegram.bytes)?;
        self.good += 1;
        Ok(telegram)
    }

    /// Sends a telegram that is damaged on the line, between its marks.
    pub fn speak_badly(&mut self) -> Outcome {
        let telegram = self.meter.telegram().bytes;
        let inner = MARK..telegram.len() - MARK;
        let passed = loop {
            let passed = self.line.pass(&telegram);
            let mut edges = (0..telegram.len()).filter(|place| !inner.contains(place));
            if !passed.intact && edges.all(|place| passed.bytes[place] == telegram[place]) {
                break passed.bytes;
            }
        };
        self.send(&passed)?;
        self.bad += 1;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Outcome {
        let begin = Instant::now();
        while self.reader.is_none() {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    self.reader = Some(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && begin.elapsed() < LIMIT => {
                    sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(format!("nobody reads {}: {error}", self.id()).into()),
            }
        }
        let reader = self.reader.as_mut().ok_or("no reader")?;
        Ok(reader.write_all(bytes)?)
    }
}
