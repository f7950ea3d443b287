//! Joins the Wi-Fi, and joins it again.
//!
//! The networks of the settings are tried in turn; after a round without success there is a pause that
//! grows up to five minutes. Somebody who sets a Wi-Fi up over the console interrupts that.

use core::pin::pin;
use core::time::Duration;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use heapless::{String, Vec};
use meter_core::{Retry, RetryConfig};

use crate::board::{Board, JoinError, Joined, Radio, Time as _};
use crate::context::{Context, Task};
use crate::log::Level;
use crate::settings::Wifi;

/// Joining and getting an address takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

const RETRY: RetryConfig = RetryConfig {
    first: Duration::from_secs(2),
    max: Duration::from_mins(5),
};

/// Who waits says so often that it lives.
const STEP: Duration = Duration::from_secs(20);

/// Networks that a scan gives back at most.
pub const SEEN: usize = 16;

/// A Wi-Fi in reach, for who sets the device up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub ssid: String<32>,
    pub signal_dbm: i8,
    pub locked: bool,
}

/// What the console wants of the radio.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Join this one now, and say what came of it.
    Join(Wifi),
    /// Look which are there.
    Scan,
}

/// What came of a wish.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it, and no heap to put it on"
)]
#[derive(Clone, Debug)]
pub enum Granted {
    /// Of a join.
    Join(Result<Joined, JoinError>),
    /// Of a scan.
    Scan(Vec<Found, SEEN>),
}

/// A line between the console and the radio.
pub struct Wishes {
    wish: Signal<NoopRawMutex, Wish>,
    granted: Signal<NoopRawMutex, Granted>,
}

impl Wishes {
    pub const fn new() -> Self {
        Self {
            wish: Signal::new(),
            granted: Signal::new(),
        }
    }

    /// Asks, and waits for the answer.
    pub async fn ask<B: Board>(&self, context: &Context<'_, B>, wish: Wish) -> Granted {
        self.granted.reset();
        self.wish.signal(wish);
        loop {
            context.alive(Task::Console);
            let granted = context.time.at_most(STEP, self.granted.wait());
            if let Some(granted) = granted.await {
                return granted;
            }
        }
    }
}

/// Keeps the network joined.
pub async fn run<B: Board>(context: &Context<'_, B>, mut radio: B::Radio, wishes: &Wishes) -> ! {
    let mut retry = Retry::new(RETRY);
    let mut which = 0_usize;
    loop {
        context.alive(Task::Network);
        let wifi = {
            let settings = context.settings.borrow();
            let count = settings.wifi.len();
            let index = which.checked_rem(count);
            index.and_then(|index| settings.wifi.get(index).cloned())
        };
        let joined = match &wifi {
            Some(wifi) => join(context, &mut radio, wifi).await.is_ok(),
            None => false,
        };
        if joined {
            retry.on_success();
            stay(context, &mut radio, wishes).await;
            continue;
        }
        which += 1;
        let rounds = context.settings.borrow().wifi.len().max(1);
        let next = if wifi.is_some() && !which.is_multiple_of(rounds) {
            context.now()
        } else {
            retry.on_failure(context.now(), context.random(), None)
        };
        if let Some(wish) = wait(context, wishes, next).await
            && grant(context, &mut radio, wishes, wish).await
        {
            retry.on_success();
            stay(context, &mut radio, wishes).await;
        }
    }
}

async fn join<B: Board>(
    context: &Context<'_, B>,
    radio: &mut B::Radio,
    wifi: &Wifi,
) -> Result<Joined, JoinError> {
    let name = context.settings.borrow().name.clone();
    let ssid = wifi.ssid.as_str();
    context.link.borrow_mut().ssid = wifi.ssid.clone();
    context.to_screen.signal(());
    let joined = {
        let join = pin!(radio.join(ssid, wifi.password.expose(), &name));
        context.time.at_most(PATIENCE, join).await
    };
    let joined = joined.unwrap_or(Err(JoinError::NoAddress));
    context.alive(Task::Network);
    match joined {
        Ok(Joined { address }) => {
            context.say(
                Level::Info,
                format_args!("wifi: joined {ssid} as {address}"),
            );
            let mut link = context.link.borrow_mut();
            link.address = Some(address);
            link.signal_dbm = radio.signal_dbm();
            drop(link);
            context.to_clock.signal(());
            context.to_deliver.signal(());
        }
        Err(error) => context.fault(Level::Warn, format_args!("wifi: {ssid} {error}")),
    }
    context.to_screen.signal(());
    joined
}

/// Stays as long as the network does.
async fn stay<B: Board>(context: &Context<'_, B>, radio: &mut B::Radio, wishes: &Wishes) {
    const LOOK: Duration = Duration::from_secs(10);
    loop {
        context.alive(Task::Network);
        let pause = context.time.pause(LOOK);
        match select3(radio.lost(), wishes.wish.wait(), pause).await {
            Either3::First(()) => break,
            Either3::Second(wish) => {
                let joins = matches!(wish, Wish::Join(_));
                if !grant(context, radio, wishes, wish).await && joins {
                    break;
                }
            }
            Either3::Third(()) => context.link.borrow_mut().signal_dbm = radio.signal_dbm(),
        }
    }
    let mut link = context.link.borrow_mut();
    link.address = None;
    link.signal_dbm = None;
    drop(link);
    context.fault(Level::Warn, format_args!("wifi: lost"));
    context.to_deliver.signal(());
}

/// Waits for a wish until a moment.
async fn wait<B: Board>(
    context: &Context<'_, B>,
    wishes: &Wishes,
    until: Duration,
) -> Option<Wish> {
    loop {
        context.alive(Task::Network);
        if let Some(wish) = wishes.wish.try_take() {
            return Some(wish);
        }
        let left = until.saturating_sub(context.now());
        if left.is_zero() {
            return None;
        }
        let wish = context.time.at_most(left.min(STEP), wishes.wish.wait());
        if let Some(wish) = wish.await {
            return Some(wish);
        }
    }
}

/// Does what the console wants, and says whether a network is joined by it.
async fn grant<B: Board>(
    context: &Context<'_, B>,
    radio: &mut B::Radio,
    wishes: &Wishes,
    wish: Wish,
) -> bool {
    match wish {
        Wish::Join(wifi) => {
            let joined = join(context, radio, &wifi).await;
            wishes.granted.signal(Granted::Join(joined));
            joined.is_ok()
        }
        Wish::Scan => {
            let mut found = Vec::<Found, SEEN>::new();
            let scan = radio.scan(|seen| {
                let Ok(ssid) = String::try_from(seen.ssid) else {
                    return;
                };
                // There may be more than anybody wants to choose from.
                let _ = found.push(Found {
                    ssid,
                    signal_dbm: seen.signal_dbm,
                    locked: seen.locked,
                });
            });
            // A scan that takes longer is given up with what it found.
            let _ = context.time.at_most(PATIENCE, pin!(scan)).await;
            context.alive(Task::Network);
            wishes.granted.signal(Granted::Scan(found));
            false
        }
    }
}
