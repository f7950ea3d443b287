//! What the tasks share. They run on one executor, so a cell is enough; none is borrowed while a task
//! waits.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String as OwnedString;
use alloc::vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embedded_storage_async::nor_flash::NorFlash;
use heapless::{Deque, String};
use meter_core::clock::Stamp;
use meter_core::{Clock, Reading, UnixMillis};
use meter_screens as screens;

use crate::board::{Board, Chip as _, Start, Time as _};
use crate::log::{LONGEST_TEXT, Level, Log};
use crate::outbox::{Outbox, Status};
use crate::ring::Ring;
use crate::settings::Settings;
use crate::settings::{SCRATCH, Store, StoreError};

/// RAM for readings that have not spilled: 16 of the longest that meters are known to send.
pub const WAITING: usize = 12 * 1024;

/// A step of the time that one server alone reports is doubted above this.
const DOUBTED_STEP: Duration = Duration::from_secs(10);

/// The outbox, for one task at a time.
pub type Shelf<B, const SECTORS: usize> =
    Mutex<NoopRawMutex, Outbox<<B as Board>::Flash, SECTORS, WAITING>>;

/// A task, for the watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Meter,
    Keep,
    Deliver,
    Network,
    Clock,
    Screen,
    Console,
}

impl Task {
    const ALL: [Self; 7] = [
        Self::Meter,
        Self::Keep,
        Self::Deliver,
        Self::Network,
        Self::Clock,
        Self::Screen,
        Self::Console,
    ];

    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Meter => "meter",
            Self::Keep => "outbox",
            Self::Deliver => "delivery",
            Self::Network => "network",
            Self::Clock => "clock",
            Self::Screen => "screen",
            Self::Console => "console",
        }
    }
}

/// How many tasks the watchdog waits for.
const TASKS: usize = Task::ALL.len();

/// What the light is lit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lit {
    /// A telegram is being received.
    Reading = 1,
    /// A reading is being sent.
    Sending = 2,
}

/// The newest reading, as the meter's own bytes.
#[derive(Debug, Default)]
pub struct Latest {
    /// A `GetList.Res` body; empty before the first.
    pub body: Rc<[u8]>,
    /// When it was read.
    pub at: Duration,
    /// Whether the meter holds its values back until its PIN is entered.
    pub pin_missing: bool,
}

impl Latest {
    /// The reading.
    pub fn reading(&self) -> Option<Reading<'_>> {
        Reading::from_bytes(&self.body).ok()
    }
}

/// What went wrong last.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What, for people.
    pub text: String<LONGEST_TEXT>,
    /// When.
    pub at: Duration,
}

/// How the delivery is.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Readings that were acknowledged since the start.
    pub delivered: u32,
    /// Readings that were refused for good since the start.
    pub refused: u32,
    /// Readings that were sent again because nobody knows whether they arrived.
    pub repeated: u32,
    /// When the last was acknowledged.
    pub at: Option<Duration>,
    /// What went wrong since.
    pub fault: Option<Fault>,
}

/// Grave events that go with the next deliveries, one at a time. Of more than a handful the newest are
/// left out: the ring has them, and the first one tells most.
#[derive(Debug, Default)]
pub struct Untold(Deque<OwnedString, 4>);

impl Untold {
    /// Adds an event, as a line of plain ASCII: it may become a header.
    pub fn push(&mut self, event: &str) {
        let plain = |letter: char| if letter.is_ascii() { letter } else { '?' };
        // There may be too many.
        let _ = self.0.push_back(event.chars().map(plain).collect());
    }

    /// The oldest.
    pub fn first(&self) -> Option<OwnedString> {
        self.0.front().cloned()
    }

    /// The oldest was told, or nobody wants to hear it.
    pub fn told(&mut self) {
        self.0.pop_front();
    }
}

/// How the network is.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The Wi-Fi that is joined or tried.
    pub ssid: String<32>,
    /// The device's address, while it is joined.
    pub address: Option<Ipv4Addr>,
    /// Strength of the signal in dBm.
    pub signal_dbm: Option<i8>,
}

/// A meter's seconds index at a time that is known, by which readings of earlier boots are dated.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    meter: u32,
    seconds: u64,
    time: UnixMillis,
}

impl Anchor {
    pub fn of(reading: &Reading<'_>, time: UnixMillis) -> Option<Self> {
        Some(Self {
            meter: crate::checksum::of(reading.server_id().as_bytes()),
            seconds: reading.seconds_index()?,
            time,
        })
    }

    /// When the same meter sent another reading. `None` for another meter, for one that counts no
    /// seconds, and for an index that cannot be: the count began anew.
    pub fn date(&self, reading: &Reading<'_>) -> Option<UnixMillis> {
        if crate::checksum::of(reading.server_id().as_bytes()) != self.meter {
            return None;
        }
        let ago = self.seconds.checked_sub(reading.seconds_index()?)?;
        Some(self.time.saturating_sub(Duration::from_secs(ago)))
    }
}

/// Where the settings are, and room to work with them.
pub struct Safe<F: NorFlash> {
    store: Store<F>,
    scratch: Box<[u8]>,
    starts: u32,
}

impl<F: NorFlash> Safe<F> {
    pub fn new(flash: F) -> Result<Self, StoreError<F::Error>> {
        Ok(Self {
            store: Store::new(flash)?,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            starts: 0,
        })
    }

    pub async fn load(&mut self) -> Result<Option<Settings>, StoreError<F::Error>> {
        self.store.load(&mut self.scratch).await
    }

    pub async fn save(&mut self, settings: &Settings) -> Result<(), StoreError<F::Error>> {
        self.store.save(settings, &mut self.scratch).await
    }

    pub async fn load_time(&mut self) -> Option<UnixMillis> {
        // Without it a time is only believed more readily.
        self.store.last_good_time(&mut self.scratch).await.ok()?
    }

    pub async fn save_time(&mut self, time: UnixMillis) -> Result<(), StoreError<F::Error>> {
        let scratch = &mut self.scratch;
        self.store.save_last_good_time(time, scratch).await
    }

    pub async fn forget(&mut self) -> Result<(), StoreError<F::Error>> {
        self.store.forget().await?;
        // It is no secret, and entries of the ring must not share a number.
        self.store.save_starts(self.starts, &mut self.scratch).await
    }

    /// Counts this start, and returns its number. It is at least that of the outbox's boot, which goes
    /// on where these settings were erased or the flash does not take a count.
    pub async fn count_start(&mut self, boot: u32) -> u32 {
        let counted = self.store.starts(&mut self.scratch).await.unwrap_or(0);
        self.starts = counted.saturating_add(1).max(boot);
        // A start that is not counted shares its number with the next.
        let _ = self.store.save_starts(self.starts, &mut self.scratch).await;
        self.starts
    }
}

/// A reason to look again, for one task.
pub type Bell = Signal<NoopRawMutex, ()>;

/// What is known when the tasks begin.
pub struct Beginning<B: Board> {
    pub chip: B::Chip,
    pub recalled: Recalled<B::Flash>,
    /// When the firmware was built.
    pub built: UnixMillis,
    pub ring: Option<Ring<B::Flash>>,
    pub version: &'static str,
    pub number: u32,
    pub boot: u32,
    pub start: Start,
}

/// What was kept over the restart.
pub struct Recalled<F: NorFlash> {
    pub safe: Safe<F>,
    pub settings: Box<Settings>,
    /// Why the settings are not those that were kept.
    pub settings_error: Option<String<LONGEST_TEXT>>,
    pub last_good: Option<UnixMillis>,
}

/// What the tasks share.
pub struct Context<'b, B: Board> {
    pub time: &'b B::Time,
    pub chip: RefCell<B::Chip>,
    pub settings: RefCell<Box<Settings>>,
    pub clock: RefCell<Clock>,
    pub log: Log,
    pub ring: Mutex<NoopRawMutex, Option<Ring<B::Flash>>>,
    /// Which start of the device this is, for people.
    pub number: u32,
    /// What the outbox calls this boot, for provisional times.
    pub boot: u32,
    pub start: Start,
    /// Why the settings in flash are not in use.
    pub settings_error: Option<String<LONGEST_TEXT>>,
    pub version: &'static str,
    pub head: Cell<screens::Head>,
    pub latest: RefCell<Latest>,
    pub anchor: Cell<Option<Anchor>>,
    /// Readings that the guard did not believe, since the start.
    pub set_aside: Cell<u32>,
    /// Whether the guard refuses what the meter sends.
    pub suspect: Cell<bool>,
    /// Somebody says that the meter was replaced.
    pub accept: Cell<bool>,
    pub link: RefCell<Link>,
    pub delivery: RefCell<Delivery>,
    pub backlog: Cell<u32>,
    /// What the server has not heard of.
    pub untold: RefCell<Untold>,
    /// Bytes of the meter that were lost, as far as it was said.
    pub overrun: Cell<u32>,
    pub safe: Mutex<NoopRawMutex, Safe<B::Flash>>,
    /// When the last good time was noted in the store.
    time_noted: Cell<Option<Duration>>,
    /// When the time became known.
    time_known: Cell<Option<Duration>>,
    pub to_deliver: Bell,
    pub to_keep: Bell,
    pub to_clock: Bell,
    pub to_screen: Bell,
    alive: Cell<[Duration; TASKS]>,
    /// Whether all tasks run, and not only the console.
    is_whole: Cell<bool>,
    lit: Cell<u8>,
}

impl<'b, B: Board> Context<'b, B> {
    pub fn new(time: &'b B::Time, beginning: Beginning<B>) -> Self {
        let now = time.now();
        let Beginning {
            chip,
            recalled,
            built,
            ring,
            version,
            number,
            boot,
            start,
        } = beginning;
        let Recalled {
            safe,
            settings,
            settings_error,
            last_good,
        } = recalled;
        let clock = Clock::new(built, last_good).doubting_steps_above(DOUBTED_STEP);
        Self {
            time,
            chip: RefCell::new(chip),
            settings: RefCell::new(settings),
            clock: RefCell::new(clock),
            log: Log::new(),
            ring: Mutex::new(ring),
            safe: Mutex::new(safe),
            number,
            boot,
            start,
            settings_error,
            version,
            head: Cell::default(),
            latest: RefCell::default(),
            anchor: Cell::new(None),
            set_aside: Cell::new(0),
            suspect: Cell::new(false),
            accept: Cell::new(false),
            link: RefCell::default(),
            delivery: RefCell::default(),
            backlog: Cell::new(0),
            untold: RefCell::default(),
            overrun: Cell::new(0),
            time_noted: Cell::new(None),
            time_known: Cell::new(None),
            to_deliver: Signal::new(),
            to_keep: Signal::new(),
            to_clock: Signal::new(),
            to_screen: Signal::new(),
            alive: Cell::new([now; TASKS]),
            is_whole: Cell::new(true),
            lit: Cell::new(0),
        }
    }

    pub fn now(&self) -> Duration {
        self.time.now()
    }

    pub fn say(&self, level: Level, text: fmt::Arguments<'_>) {
        self.log.say(self.now(), level, text);
    }

    /// The time of day, once it is known.
    pub fn utc(&self) -> Option<UnixMillis> {
        match self.clock.borrow().stamp(self.now()) {
            Stamp::Utc(time) => Some(time),
            Stamp::Provisional(_) => None,
        }
    }

    /// A task says that it lives.
    pub fn alive(&self, task: Task) {
        let mut alive = self.alive.get();
        if let Some(last) = alive.get_mut(task as usize) {
            *last = self.now();
        }
        self.alive.set(alive);
    }

    /// Only the console and what keeps events run: nothing else is waited for.
    pub fn is_stranded(&self) {
        self.is_whole.set(false);
    }

    /// The task that has been silent for longest, and for how long.
    pub fn most_silent(&self) -> (Task, Duration) {
        let now = self.now();
        let silences = self.alive.get().map(|last| now.saturating_sub(last));
        Task::ALL
            .into_iter()
            .zip(silences)
            .filter(|(task, _)| self.is_whole.get() || *task == Task::Console)
            .max_by_key(|(_, silence)| *silence)
            .unwrap_or((Task::Meter, Duration::ZERO))
    }

    /// Waits for a bell or a moment, and says in between that the task lives.
    pub async fn rest(&self, task: Task, bell: &Bell, until: Option<Duration>) {
        const LONGEST: Duration = Duration::from_secs(20);
        loop {
            self.alive(task);
            let now = self.now();
            let left = until.map(|until| until.saturating_sub(now));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            let span = left.unwrap_or(LONGEST).min(LONGEST);
            if self.time.at_most(span, bell.wait()).await.is_some() {
                return self.alive(task);
            }
        }
    }

    /// Waits for a moment that no bell brings nearer.
    pub async fn rest_until(&self, task: Task, moment: Duration) {
        self.rest(task, &Signal::new(), Some(moment)).await;
    }

    /// How much the outbox holds.
    pub fn note_backlog(&self, status: &Status) {
        self.backlog
            .set(status.in_memory.saturating_add(status.in_flash));
    }

    /// For how long the time has been known.
    pub fn time_known_for(&self) -> Option<Duration> {
        let known = self.time_known.get()?;
        Some(self.now().saturating_sub(known))
    }

    /// Keeps the time for the next start, once an hour: a time before it will be doubted then. Returns
    /// `false` if the flash refuses.
    pub async fn note_time(&self, time: UnixMillis) -> bool {
        const SELDOM: Duration = Duration::from_mins(59);
        let now = self.now();
        let due = |noted: Duration| now.saturating_sub(noted) >= SELDOM;
        self.time_known.set(self.time_known.get().or(Some(now)));
        if !self.time_noted.get().is_none_or(due) {
            return true;
        }
        let saved = self.safe.lock().await.save_time(time).await;
        match &saved {
            Ok(()) => self.time_noted.set(Some(now)),
            Err(error) => self.say(
                Level::Warn,
                format_args!("settings: the time is not kept: {error}"),
            ),
        }
        saved.is_ok()
    }

    pub fn light(&self, what: Lit, on: bool) {
        let before = self.lit.get();
        let bit = what as u8;
        let after = if on { before | bit } else { before & !bit };
        self.lit.set(after);
        if (before == 0) != (after == 0) {
            self.chip.borrow_mut().light(after != 0);
        }
    }

    pub fn random(&self) -> u32 {
        self.chip.borrow_mut().random()
    }

    pub fn is_online(&self) -> bool {
        self.link.borrow().address.is_some()
    }

    /// Notes a fault of the delivery, for the log and the display.
    pub fn fault(&self, level: Level, text: fmt::Arguments<'_>) {
        let mut line = String::new();
        // The display shows its beginning, and the log all of it.
        let _ = fmt::write(&mut line, text);
        self.say(level, text);
        self.delivery.borrow_mut().fault = Some(Fault {
            text: line,
            at: self.now(),
        });
        self.to_screen.signal(());
    }
}
