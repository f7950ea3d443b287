//! Which page is shown, and how bright and where, so that nothing burns in.

use core::time::Duration;

use embedded_graphics::draw_target::{DrawTarget, DrawTargetExt as _};
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::pixelcolor::BinaryColor;

use crate::page::{Page, Panel, PinStep, draw};
use crate::view::View;

/// How pages turn and how the display is spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarouselConfig {
    /// How long the start picture is shown.
    pub start: Duration,
    /// How long the page with the power is shown.
    pub reading: Duration,
    /// How long any other page is shown.
    pub other: Duration,
    /// How long a page stays that somebody turned to by the button.
    pub turned: Duration,
    /// How long after the last button press or alert the display is dimmed; `None` for never.
    pub dim_after: Option<Duration>,
    /// How long after the last button press or alert the display sleeps; `None` for never.
    pub sleep_after: Option<Duration>,
    /// How long the picture stays on the same pixels.
    pub shift_every: Duration,
}

impl Default for CarouselConfig {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(4),
            reading: Duration::from_secs(15),
            other: Duration::from_secs(6),
            turned: Duration::from_secs(30),
            dim_after: Some(Duration::from_mins(1)),
            sleep_after: Some(Duration::from_mins(10)),
            shift_every: Duration::from_mins(1),
        }
    }
}

/// How bright the display is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brightness {
    /// Somebody looks at it.
    Full,
    /// Nobody did for a while.
    Dim,
    /// Nothing is shown: the panel can be switched off.
    Off,
}

/// Something that somebody has to do, so that its page comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alert {
    /// No good frames: the head is to be moved. Its page stays.
    Head,
    /// The PIN is to be entered. Its pages come first and turn with the others.
    Pin,
}

impl Alert {
    fn of(view: &View<'_>, now: Duration) -> Option<Self> {
        if view.head.is_lost(now) {
            Some(Self::Head)
        } else if view.meter.is_some_and(|meter| meter.pin_missing) {
            Some(Self::Pin)
        } else {
            None
        }
    }

    const fn page(self) -> Page {
        match self {
            Self::Head => Page::Alignment,
            Self::Pin => Page::Pin(PinStep::Ask),
        }
    }
}

/// Turns pages by itself and by a button, and spares the display.
///
/// Times are monotonic and from any origin that [`View`] shares. Ask [`poll`](Self::poll) for the
/// page when [`poll_at`](Self::poll_at) has come or the view has changed.
#[derive(Clone, Copy, Debug)]
pub struct Carousel {
    config: CarouselConfig,
    page: Page,
    /// When the page turns by itself.
    turn_at: Duration,
    /// When somebody last had a reason to look.
    woken_at: Duration,
    alert: Option<Alert>,
}

impl Carousel {
    /// Shows the start picture.
    #[must_use]
    pub const fn new(config: CarouselConfig, now: Duration) -> Self {
        Self {
            config,
            page: Page::Start,
            turn_at: now.saturating_add(config.start),
            woken_at: now,
            alert: None,
        }
    }

    /// The page to show now.
    pub fn poll(&mut self, now: Duration, view: &View<'_>) -> Page {
        let alert = Alert::of(view, now);
        if alert != self.alert {
            self.alert = alert;
            match alert {
                Some(alert) => {
                    self.woken_at = now;
                    self.show(alert.page(), now);
                }
                // Whoever has just put things right sees that for a moment.
                None => self.turn_at = now.saturating_add(self.stay()),
            }
        }
        if now >= self.turn_at || !self.page.has_something(view) {
            let next = match self.alert {
                Some(Alert::Head) => Page::Alignment,
                _ => self.next(view, |page| !matches!(page, Page::Start | Page::Alignment)),
            };
            self.show(next, now);
        }
        self.page
    }

    /// The button was pressed: turns at once. A press in the dark wakes the display and shows what
    /// the one who pressed came for: what has to be done, else the power.
    pub fn press(&mut self, now: Duration, view: &View<'_>) -> Page {
        let page = if self.brightness(now) == Brightness::Off {
            self.alert.map_or(Page::Reading, Alert::page)
        } else {
            self.next(view, |page| page != Page::Start)
        };
        self.woken_at = now;
        self.page = page;
        self.turn_at = now.saturating_add(self.config.turned);
        self.poll(now, view)
    }

    /// When the display has to be drawn again, if the view stays the same.
    #[must_use]
    pub fn poll_at(&self, now: Duration) -> Duration {
        let later = |moment: Duration| (moment > now).then_some(moment);
        if self.brightness(now) == Brightness::Off {
            // Pages turn in the dark as well, so that alerts are seen; nothing else moves.
            return self.turn_at;
        }
        let shift = self.config.shift_every;
        let shift_at = shift
            .checked_mul(self.shifts(now).saturating_add(1))
            .and_then(later);
        let frame_at = self
            .page
            .frame_time()
            .map(|frame| now.saturating_add(frame));
        let second = Some(now.saturating_add(Duration::from_secs(1)));
        let dim_at = self.after_waking(self.config.dim_after).and_then(later);
        let sleep_at = self.after_waking(self.config.sleep_after).and_then(later);
        [shift_at, frame_at, second, dim_at, sleep_at]
            .into_iter()
            .flatten()
            .fold(self.turn_at, Duration::min)
    }

    /// How bright the display is to be.
    #[must_use]
    pub fn brightness(&self, now: Duration) -> Brightness {
        let past = |after| self.after_waking(after).is_some_and(|moment| now >= moment);
        if past(self.config.sleep_after) {
            Brightness::Off
        } else if past(self.config.dim_after) {
            Brightness::Dim
        } else {
            Brightness::Full
        }
    }

    /// How far the page is moved away from the top left corner: everywhere that the panel has room
    /// for, one pixel at a time.
    #[must_use]
    pub fn shift(&self, now: Duration, size: Size) -> Point {
        let page = Panel::within(size).page_size();
        let columns = size.width.saturating_sub(page.width).min(4) + 1;
        let rows = size.height.saturating_sub(page.height).min(4) + 1;
        let places = columns * rows;
        // There and back again, row by row and each in the other direction: no step is a jump.
        let around = (2 * places).saturating_sub(2).max(1);
        let step = self.shifts(now) % around;
        let place = step.min(around - step).min(places - 1);
        let (row, column) = (place / columns, place % columns);
        let x = if row % 2 == 0 {
            column
        } else {
            columns - 1 - column
        };
        let signed = |value| i32::try_from(value).unwrap_or(0);
        Point::new(signed(x), signed(row))
    }

    /// Clears the display and draws the page where it belongs now; nothing while it sleeps.
    ///
    /// # Errors
    ///
    /// The first error of the display.
    pub fn draw<D>(&self, view: &View<'_>, now: Duration, target: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget<Color = BinaryColor>,
    {
        target.clear(BinaryColor::Off)?;
        if self.brightness(now) == Brightness::Off {
            return Ok(());
        }
        let shift = self.shift(now, target.bounding_box().size);
        draw(self.page, view, now, &mut target.translated(shift))
    }

    fn show(&mut self, page: Page, now: Duration) {
        self.page = page;
        self.turn_at = now.saturating_add(self.stay());
    }

    const fn stay(&self) -> Duration {
        match self.page {
            Page::Start => self.config.start,
            Page::Reading => self.config.reading,
            _ => self.config.other,
        }
    }

    /// The next page that has something to show and is wanted; the same one when there is none.
    fn next(&self, view: &View<'_>, wanted: impl Fn(Page) -> bool) -> Page {
        let pages = Page::ALL.into_iter().chain(Page::ALL);
        pages
            .skip_while(|page| *page != self.page)
            .skip(1)
            .find(|page| wanted(*page) && page.has_something(view))
            .unwrap_or(self.page)
    }

    /// How often the picture has been moved.
    fn shifts(&self, now: Duration) -> u32 {
        let every = millis(self.config.shift_every).max(1);
        u32::try_from(millis(now) / every).unwrap_or(u32::MAX)
    }

    fn after_waking(&self, after: Option<Duration>) -> Option<Duration> {
        self.woken_at.checked_add(after?)
    }
}

/// Whole milliseconds; dividing by 64 bits is short code, by 128 it is not.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
