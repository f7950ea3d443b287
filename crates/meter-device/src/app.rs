//! The application: everything that a board's `main` has to start.

use alloc::boxed::Box;
use core::fmt::Write as _;
use core::pin::pin;

use embassy_futures::join::join3;
use embassy_futures::select::select;
use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use meter_core::UnixMillis;

use crate::board::{Board, Chip, Start};
use crate::context::{Beginning, Context, Recalled, Safe, Shelf, WAITING};
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
    let Some(mut recalled) = recall(settings).await else {
        // The board's own fault, which its first start shows.
        return;
    };
    // What is looked at and then moved keeps its old place in this future too, for as long as the device
    // runs: each large part is moved once, before anything borrows it.
    let (shelf, boot, opened) = match open::<_, SECTORS>(outbox).await {
        Ok((outbox, opened)) => {
            let (boot, status) = (outbox.boot(), outbox.status());
            let shelf = Shelf::<B, SECTORS>::new(outbox);
            (Some(shelf), boot, Ok((opened, status)))
        }
        Err(error) => (None, 0, Err(error)),
    };
    let number = recalled.safe.count_start(boot).await;
    let (start, words) = chip.last_words();
    let context = Context::<B>::new(
        &time,
        Beginning {
            chip,
            recalled,
            built,
            ring: Ring::new(ring),
            version,
            number,
            boot,
            start,
        },
    );
    greet(&context, words);
    match opened {
        Ok((opened, status)) => welcome(&context, opened, &status),
        Err(error) => context.say(Level::Error, format_args!("outbox: {error}")),
    }
    let wishes = Wishes::new();
    // Each stays where it is made: given to `join` as they are, they would be moved there through the
    // stack.
    let watch = pin!(keep::watch(&context));
    let console = console::run(&context, shelf.as_ref(), &wishes, keyboard, paper);
    let console = pin!(console);
    if let Some(outbox) = &shelf {
        {
            let meter = pin!(meter::run(&context, outbox, head));
            let keep = pin!(keep::run(&context, outbox));
            let radio = pin!(network::run(&context, radio, &wishes));
            let clock = pin!(clock::run(&context, outbox, &network));
            let deliver = pin!(deliver::run(&context, outbox, &network));
            let screen = pin!(screen::run(&context, screen));
            let reading = join3(meter, keep, screen);
            let sending = join3(radio, clock, deliver);
            select(console, join3(reading, sending, watch)).await;
            // One of them may have the outbox, and goes on no more: they end here, which gives it back.
        }
        // What is not written is lost with the RAM; an error has nobody left to tell.
        let _ = outbox.lock().await.flush(context.now()).await;
    } else {
        context.is_stranded();
        let remember = pin!(keep::remember_all(&context));
        let radio = pin!(network::run(&context, radio, &wishes));
        select(console, join3(remember, radio, watch)).await;
    }
    context.chip.borrow_mut().restart();
}

/// Reads what was kept. `None` where the flash is not as large as it has to be.
async fn recall<F: NorFlash>(flash: F) -> Option<Recalled<F>> {
    let mut safe = Safe::new(flash).ok()?;
    let last_good = safe.load_time().await;
    let (settings, settings_error) = match safe.load().await {
        Ok(settings) => (Box::new(settings.unwrap_or_default()), None),
        Err(error) => {
            let mut text = String::new();
            // What is longer is cut.
            let _ = write!(text, "{error}");
            (Box::new(Settings::default()), Some(text))
        }
    };
    Some(Recalled {
        safe,
        settings,
        settings_error,
        last_good,
    })
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
            context.number,
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
