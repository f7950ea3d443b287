//! The application: everything that a board's `main` has to start.

use core::fmt::Write as _;

use embassy_futures::join::{join, join3};
use embassy_futures::select::select;
use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use meter_core::{Clock, UnixMillis};

use crate::board::{Board, Chip, Start};
use crate::context::{Beginning, Context, Safe, Shelf, WAITING};
use crate::log::Level;
use crate::network::Wishes;
use crate::outbox::{OpenError, Opened, Options, Outbox, Status, Unopened};
use crate::ring::Ring;
use crate::settings::Settings;
use crate::{clock, console, deliver, keep, meter, network, screen};

/// What a board gives.
pub struct Parts<B: Board> {
    /// The clock that is never set.
    pub time: B::Time,
    /// Joins the network.
    pub radio: B::Radio,
    /// Opens connections.
    pub network: B::Network,
    /// Flash for the settings: 4 sectors.
    pub settings: B::Flash,
    /// Flash for the ring: 4 sectors.
    pub ring: B::Flash,
    /// Flash for the outbox, all of it.
    pub outbox: B::Flash,
    /// The optical head.
    pub head: B::Head,
    /// What is typed.
    pub keyboard: B::Keyboard,
    /// What is printed.
    pub paper: B::Paper,
    /// The display.
    pub screen: B::Screen,
    /// The rest of the chip.
    pub chip: B::Chip,
    /// When the firmware was built: no time before it is believed.
    pub built: UnixMillis,
    /// The version of the firmware.
    pub version: &'static str,
}

/// Runs the device until it has to be started anew. `SECTORS` is the size of the outbox in sectors of
/// 4 KiB.
///
/// On a chip it does not return.
pub async fn run<B: Board, const SECTORS: usize>(parts: Parts<B>) {
    let Parts {
        time,
        radio,
        network,
        settings,
        ring,
        outbox,
        head,
        keyboard,
        paper,
        screen,
        mut chip,
        built,
        version,
    } = parts;
    chip.feed();
    let Ok(mut safe) = Safe::new(settings) else {
        // The board's own fault, which its first start shows.
        return;
    };
    let loaded = safe.load().await;
    let last_good = safe.load_time().await;
    let (settings, settings_error) = match loaded {
        Ok(settings) => (settings.unwrap_or_default(), None),
        Err(error) => {
            let mut text = String::new();
            // What is longer is cut.
            let _ = write!(text, "{error}");
            (Settings::default(), Some(text))
        }
    };
    let opened = open::<_, SECTORS>(outbox).await;
    let (start, words) = chip.last_words();
    let context = Context::<B>::new(
        &time,
        Beginning {
            chip,
            settings,
            settings_error,
            clock: Clock::new(built, last_good),
            ring: Ring::new(ring),
            safe,
            version,
            boot: opened.as_ref().map_or(0, |(outbox, _)| outbox.boot()),
            start,
        },
    );
    greet(&context, words);
    let wishes = Wishes::new();
    let watch = keep::watch(&context);
    match opened {
        Ok((outbox, opened)) => {
            welcome(&context, opened, &outbox.status());
            let outbox = Shelf::<B, SECTORS>::new(outbox);
            let reading = join(
                meter::run(&context, &outbox, head),
                keep::run(&context, &outbox),
            );
            let sending = join3(
                network::run(&context, radio, &wishes),
                clock::run(&context, &outbox, &network),
                deliver::run(&context, &outbox, &network),
            );
            let looking = join(screen::run(&context, screen), watch);
            let console = console::run(&context, Some(&outbox), &wishes, keyboard, paper);
            select(console, join3(reading, sending, looking)).await;
            // What is not written is lost with the RAM; an error has nobody left to tell.
            let _ = outbox.lock().await.flush(context.now()).await;
        }
        Err(error) => {
            context.say(Level::Error, format_args!("outbox: {error}"));
            let console = console::run::<B, SECTORS>(&context, None, &wishes, keyboard, paper);
            select(console, watch).await;
        }
    }
    context.chip.borrow_mut().restart();
}

/// Opens the outbox. What is in the flash and is none of ours is erased: the partition is for nothing
/// else, and a board that had other firmware before must work.
async fn open<F: NorFlash, const SECTORS: usize>(
    flash: F,
) -> Result<(Outbox<F, SECTORS, WAITING>, Opened), OpenError<F::Error>> {
    let Unopened { mut flash, error } = match Outbox::open(flash, Options::default()).await {
        Ok(opened) => return Ok(opened),
        Err(unopened) => unopened,
    };
    if !matches!(error, OpenError::Foreign) {
        return Err(error);
    }
    let end = u32::try_from(flash.capacity()).map_err(|_| OpenError::TooSmall)?;
    flash.erase(0, end).await.map_err(OpenError::Flash)?;
    match Outbox::open(flash, Options::default()).await {
        Ok((outbox, _)) => Ok((outbox, Opened::Damaged)),
        Err(unopened) => Err(unopened.error),
    }
}

/// Says who it is and why it starts. A crash goes into the ring by that.
fn greet<B: Board>(context: &Context<'_, B>, words: Option<&str>) {
    let name = B::Chip::NAME;
    let version = context.version;
    let level = match context.start {
        Start::Power | Start::Asked => Level::Info,
        Start::Panic | Start::Watchdog | Start::BrownOut => Level::Error,
    };
    context.say(Level::Info, format_args!("meterline {version} on {name}"));
    let colon = if words.is_some() { ": " } else { "" };
    context.say(
        level,
        format_args!(
            "start {}: {}{colon}{}",
            context.boot,
            context.start.as_str(),
            words.unwrap_or_default()
        ),
    );
    if let Some(error) = &context.settings_error {
        context.say(Level::Error, format_args!("{error}"));
    }
}

fn welcome<B: Board>(context: &Context<'_, B>, opened: Opened, status: &Status) {
    context.note_backlog(status);
    match opened {
        Opened::New => context.say(Level::Info, format_args!("outbox: new")),
        Opened::Resumed => context.say(
            Level::Info,
            format_args!("outbox: {} readings wait", status.in_flash),
        ),
        Opened::Damaged => context.say(
            Level::Error,
            format_args!("outbox: what was in its flash cannot be read: it begins anew"),
        ),
    }
}
