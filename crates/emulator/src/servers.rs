//! What the device asks in its network: a time server that can be made to lie, and a real name server.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, process};

use crate::Result;

/// The program of the name server.
const DNSMASQ: &str = "dnsmasq";

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// A time server (RFC 5905, SNTP) on the loopback interface.
///
/// It has its own clock, which can go faster than that of the host, and can be set wrong or silent.
#[derive(Debug)]
pub struct TimeServer {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    begin: Duration,
    pace: u32,
    lie_ms: AtomicI64,
    silent: AtomicBool,
    ended: AtomicBool,
    asked: AtomicU32,
}

impl Shared {
    fn time(&self) -> Duration {
        self.begin + self.began.elapsed() * self.pace
    }

    /// What it says now; NTP's 32 bits of seconds and 32 of their fraction.
    fn stamp(&self) -> [u8; 8] {
        let lie = self.lie_ms.load(Ordering::Relaxed);
        let distance = Duration::from_millis(lie.unsigned_abs());
        let time = if lie < 0 {
            self.time().saturating_sub(distance)
        } else {
            self.time() + distance
        };
        let seconds = time.as_secs() + NTP_EPOCH;
        let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
        ((seconds << 32) | fraction).to_be_bytes()
    }

    fn answer(&self, question: &[u8; 48]) -> [u8; 48] {
        let mut answer = [0; 48];
        // No leap second, version 4, server; stratum 1, and a clock of a microsecond.
        answer[..4].copy_from_slice(&[0x24, 1, 6, 0xEC]);
        answer[12..16].copy_from_slice(b"TEST");
        let now = self.stamp();
        answer[16..24].copy_from_slice(&now);
        answer[24..32].copy_from_slice(&question[40..48]);
        answer[32..40].copy_from_slice(&now);
        answer[40..48].copy_from_slice(&now);
        answer
    }
}

impl TimeServer {
    /// Starts one that goes with the host's clock, `pace` times as fast from now on.
    pub fn start(pace: u32) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let port = socket.local_addr()?.port();
        let shared = Arc::new(Shared {
            began: Instant::now(),
            begin: SystemTime::now().duration_since(UNIX_EPOCH)?,
            pace,
            lie_ms: AtomicI64::new(0),
            silent: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            asked: AtomicU32::new(0),
        });
        let served = Arc::clone(&shared);
        let thread = thread::spawn(move || serve(&socket, &served));
        Ok(Self {
            port,
            shared,
            thread: Some(thread),
        })
    }

    /// Its address for the board.
    #[must_use]
    pub fn address(&self) -> String {
        format!("10.0.2.2:{}", self.port)
    }

    /// The time of its clock, in milliseconds since 1970, when it tells the truth.
    #[must_use]
    pub fn true_time_ms(&self) -> i64 {
        i64::try_from(self.shared.time().as_millis()).unwrap_or(i64::MAX)
    }

    /// From now on it says a time that is so much later, or earlier.
    pub fn lie(&self, by_ms: i64) {
        self.shared.lie_ms.store(by_ms, Ordering::Relaxed);
    }

    /// Whether it answers.
    pub fn silence(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::Relaxed);
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has said why.
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    while !shared.ended.load(Ordering::Relaxed) {
        let mut question = [0; 48];
        let (length, from) = match socket.recv_from(&mut question) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // Nothing was asked for a while.
            Err(_) => continue,
        };
        shared.asked.fetch_add(1, Ordering::Relaxed);
        if length == question.len() && !shared.silent.load(Ordering::Relaxed) {
            // Who has asked may be gone.
            let _ = socket.send_to(&shared.answer(&question), from);
        }
    }
}

/// A real name server (dnsmasq) that knows the names of a domain and nothing else.
#[derive(Debug)]
pub struct NameServer {
    child: Child,
    address: Ipv4Addr,
}

impl NameServer {
    /// Starts one for which every name in `domain` is the host. `None`, which is said, where it is not
    /// installed or may not listen: port 53 is for root.
    ///
    /// # Panics
    ///
    /// With `CI=true` where that is so.
    pub fn start(domain: &str) -> Result<Option<Self>> {
        // An address of its own for each, out of the millions of the loopback interface.
        static STARTED: AtomicU8 = AtomicU8::new(0);
        let started = STARTED.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 53_u8.wrapping_add(started), high, low);
        if UdpSocket::bind(SocketAddrV4::new(address, 53)).is_err() {
            recordings::missing("port 53 is not free or not allowed: run the tests as root");
            return Ok(None);
        }
        let spawned = Command::new(DNSMASQ)
            .args(["--keep-in-foreground", "--no-resolv", "--no-hosts"])
            .args(["--conf-file=/dev/null", "--bind-interfaces", "--pid-file="])
            .arg(format!("--listen-address={address}"))
            .arg(format!("--address=/{domain}/10.0.2.2"))
            .args(["--user=root", "--log-facility=-"])
            .stderr(Stdio::null())
            .spawn();
        match spawned {
            Ok(child) => {
                let server = Self { child, address };
                server.wait(domain)?;
                Ok(Some(server))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                recordings::missing("dnsmasq is not installed (Debian package dnsmasq-base)");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it answers.
    fn wait(&self, domain: &str) -> Result {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((self.address, 53))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        // One question, recursion wanted (RFC 1035, 4.1): the domain's own address.
        let mut question = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in domain.split('.') {
            question.push(u8::try_from(label.len())?);
            question.extend(label.as_bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        for _ in 0..500 {
            // Nobody listens yet, or it is not ready.
            if socket.send(&question).is_ok() && socket.recv(&mut [0; 512]).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(format!("{DNSMASQ} does not answer on {}", self.address).into())
    }

    /// Writes the file by which QEMU finds it, in the place of `/etc/resolv.conf`.
    pub fn write_resolv_conf(&self, path: &Path) -> Result {
        Ok(fs::write(path, format!("nameserver {}\n", self.address))?)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
