//! A world for the application: a clock that is turned by hand, a Wi-Fi, servers of all characters, a
//! meter, and flash that survives when the power goes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use embedded_graphics::mock_display::MockDisplay;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_io_adapters::tokio_1::FromTokio;
use meter_core::UnixMillis;
use meter_device::board::{
    self, Board, Chip, ConnectError, JoinError, Joined, Memory, Network, Radio, Screen, Seen,
    Server, Start,
};
use meter_screens::Brightness;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::flash::Flash;
use crate::server::Character;

/// When the tests begin, in the true time.
pub const BEGIN: UnixMillis = UnixMillis(1_790_000_000_000);

/// When the firmware is said to be built.
pub const BUILT: UnixMillis = UnixMillis(1_780_000_000_000);

pub const SSID: &str = "cellar";
pub const PASSWORD: &str = "eight or more";

/// Runs a test in a world whose clock jumps to the next thing that happens.
pub fn in_a_world(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, Box::pin(test));
}

/// Every reading of an interval of ten seconds arrived, in order, and none twice.
pub fn is_each_once(arrived: &[u64], span: Duration) {
    for pair in arrived.windows(2) {
        assert!(
            (9..=11).contains(&(pair[1] - pair[0])),
            "{} is followed by {}",
            pair[0],
            pair[1]
        );
    }
    let wanted = span.as_secs() / 10;
    let count = arrived.len() as u64;
    assert!(wanted.abs_diff(count) <= 2, "{count} arrived of {wanted}");
}

/// What a test changes while the device runs.
pub struct World {
    pub start: Instant,
    /// What time servers say, in milliseconds beside the truth; `None` is silence.
    pub time_servers: RefCell<[Option<i64>; 3]>,
    pub wifi: Cell<bool>,
    pub wifi_changed: Notify,
    pub character: RefCell<Character>,
    /// Characters of the next connections, before the one above counts again.
    pub moods: RefCell<VecDeque<Character>>,
    pub received: RefCell<Vec<Received>>,
    pub connections: Cell<u32>,
    pub joins: Cell<u32>,
    pub fed: Cell<Duration>,
    pub restarts: Cell<u32>,
    pub lit: Cell<u32>,
    pub screens: Cell<u32>,
    /// The display hangs from now on.
    pub screen_hangs: Cell<bool>,
}

/// A POST that a server took.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: Duration,
    pub body: String,
    /// The header `Meterline-Event`.
    pub event: Option<String>,
    pub acknowledged: bool,
}

impl World {
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            start: Instant::now(),
            time_servers: RefCell::new([Some(0); 3]),
            wifi: Cell::new(true),
            wifi_changed: Notify::new(),
            character: RefCell::new(Character::Good),
            moods: RefCell::default(),
            received: RefCell::default(),
            connections: Cell::new(0),
            joins: Cell::new(0),
            fed: Cell::new(Duration::ZERO),
            restarts: Cell::new(0),
            lit: Cell::new(0),
            screens: Cell::new(0),
            screen_hangs: Cell::new(false),
        })
    }

    /// The true time.
    pub fn true_time(&self) -> UnixMillis {
        BEGIN.saturating_add(self.start.elapsed())
    }

    /// How long ago the watchdog was fed.
    pub fn hungry_for(&self) -> Duration {
        self.start.elapsed().saturating_sub(self.fed.get())
    }

    pub fn set_wifi(&self, on: bool) {
        self.wifi.set(on);
        self.wifi_changed.notify_waiters();
    }
}

/// The board of this world.
pub struct Simulated;

impl Board for Simulated {
    type Time = Time;
    type Radio = Air;
    type Network = Net;
    type Flash = Flash;
    type Head = FromTokio<DuplexStream>;
    type Keyboard = FromTokio<ReadHalf<DuplexStream>>;
    type Paper = FromTokio<WriteHalf<DuplexStream>>;
    type Screen = Display;
    type Chip = Silicon;
}

/// The clock of one boot.
pub struct Time(pub Instant);

impl board::Time for Time {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn until(&self, at: Duration) {
        tokio::time::sleep_until(self.0 + at).await;
    }
}

pub struct Air(pub Rc<World>);

impl Radio for Air {
    async fn join(
        &mut self,
        ssid: &str,
        password: &str,
        _host_name: &str,
    ) -> Result<Joined, JoinError> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.0.joins.set(self.0.joins.get() + 1);
        if ssid != SSID || !self.0.wifi.get() {
            return Err(JoinError::NotFound);
        }
        if password != PASSWORD {
            return Err(JoinError::Password);
        }
        Ok(Joined {
            address: Ipv4Addr::new(192, 0, 2, 7),
        })
    }

    async fn lost(&mut self) {
        while self.0.wifi.get() {
            self.0.wifi_changed.notified().await;
        }
    }

    fn signal_dbm(&mut self) -> Option<i8> {
        self.0.wifi.get().then_some(-61)
    }

    async fn scan(&mut self, mut found: impl FnMut(Seen<'_>)) {
        tokio::time::sleep(Duration::from_secs(3)).await;
        for (ssid, signal_dbm, locked) in [(SSID, -61, true), ("guests", -70, false)] {
            found(Seen {
                ssid,
                signal_dbm,
                locked,
            });
        }
    }
}

pub struct Net(pub Rc<World>);

impl Network for Net {
    type Connection<'n> = FromTokio<DuplexStream>;

    async fn connect<'n>(
        &'n self,
        _server: &Server<'_>,
        now: UnixMillis,
    ) -> Result<Self::Connection<'n>, ConnectError> {
        let world = &self.0;
        world.connections.set(world.connections.get() + 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        if !world.wifi.get() {
            std::future::pending::<()>().await;
        }
        // A certificate is valid in the true time only.
        if now.millis_since(world.true_time()).abs() > 60_000 {
            return Err(ConnectError::NotYetValid);
        }
        let mood = world.moods.borrow_mut().pop_front();
        let character = mood
            .clone()
            .unwrap_or_else(|| world.character.borrow().clone());
        if let Character::Closed(error) = character {
            return Err(error);
        }
        let (ours, theirs) = duplex(4096);
        let world = Rc::clone(world);
        tokio::task::spawn_local(crate::server::serve(world, theirs, mood));
        Ok(FromTokio::new(ours))
    }

    async fn ask_time(&self, server: &str) -> Result<UnixMillis, ConnectError> {
        tokio::time::sleep(Duration::from_millis(40)).await;
        // Those of the default settings are the first two.
        let names = [["first", "ptb"], ["second", "pool"], ["third", "-"]];
        let is_it = |names: &[&str; 2]| names.iter().any(|name| server.starts_with(name));
        let which = names.iter().position(is_it).unwrap();
        let said = self.0.time_servers.borrow()[which];
        match said {
            Some(lie) if self.0.wifi.get() => Ok(UnixMillis(self.0.true_time().0 + lie)),
            _ => std::future::pending().await,
        }
    }
}

pub struct Display {
    pub world: Rc<World>,
    pub canvas: Canvas,
}

pub type Canvas = MockDisplay<BinaryColor>;

impl Screen for Display {
    type Canvas = Canvas;

    fn canvas(&mut self) -> &mut Canvas {
        // Its size is 64 x 64, and it is strict about drawing twice.
        self.canvas = MockDisplay::new();
        self.canvas.set_allow_overdraw(true);
        self.canvas.set_allow_out_of_bounds_drawing(true);
        &mut self.canvas
    }

    async fn show(&mut self, _brightness: Brightness) {
        if self.world.screen_hangs.get() {
            std::future::pending::<()>().await;
        }
        self.world.screens.set(self.world.screens.get() + 1);
    }

    async fn pressed(&mut self) {
        std::future::pending::<()>().await;
    }
}

pub struct Silicon {
    pub world: Rc<World>,
    pub started: Start,
    pub words: Option<&'static str>,
    pub random: u32,
}

impl Chip for Silicon {
    const NAME: &'static str = "simulated";

    fn feed(&mut self) {
        self.world.fed.set(self.world.start.elapsed());
    }

    fn light(&mut self, on: bool) {
        self.world.lit.set(self.world.lit.get() + u32::from(on));
    }

    fn random(&mut self) -> u32 {
        self.random = self
            .random
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.random
    }

    fn memory(&self) -> Memory {
        Memory::default()
    }

    fn overrun(&self) -> u32 {
        0
    }

    fn last_words(&mut self) -> (Start, Option<&'static str>) {
        (self.started, self.words.take())
    }

    fn restart(&mut self) {
        self.world.restarts.set(self.world.restarts.get() + 1);
    }
}
