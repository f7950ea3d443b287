//! The pages that there are, and which of them have something to show.

use core::time::Duration;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::BinaryColor;
use meter_core::Direction;

use crate::pages;
use crate::paper::{Display, Paper};
use crate::view::{Phase, View};

/// What is to be done about a PIN that was not entered, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinStep {
    /// Get the PIN.
    Ask,
    /// Make the meter ask for it.
    Call,
    /// Enter it.
    Digits,
    /// See to it that it is not asked for again.
    Keep,
}

impl PinStep {
    /// All steps, in order.
    pub const ALL: [Self; 4] = [Self::Ask, Self::Call, Self::Digits, Self::Keep];
}

/// One page of the display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The start picture.
    Start,
    /// How the head sits on the meter.
    Alignment,
    /// The PIN was not entered.
    Pin(PinStep),
    /// Power now.
    Reading,
    /// Power, voltage and current of each conductor.
    Phases,
    /// The counters.
    Totals,
    /// The counters of each tariff.
    Tariffs(Direction),
    /// Wi-Fi, address and time.
    Network,
    /// Backlog, last delivery, last error and firmware.
    Delivery,
}

impl Page {
    /// All pages, in the order in which they turn.
    pub const ALL: [Self; 13] = [
        Self::Start,
        Self::Pin(PinStep::Ask),
        Self::Pin(PinStep::Call),
        Self::Pin(PinStep::Digits),
        Self::Pin(PinStep::Keep),
        Self::Reading,
        Self::Phases,
        Self::Totals,
        Self::Tariffs(Direction::Import),
        Self::Tariffs(Direction::Export),
        Self::Network,
        Self::Delivery,
        Self::Alignment,
    ];

    /// Whether the page has anything to show.
    #[must_use]
    pub fn has_something(self, view: &View<'_>) -> bool {
        let Some(meter) = &view.meter else {
            return matches!(
                self,
                Self::Start | Self::Alignment | Self::Network | Self::Delivery
            );
        };
        match self {
            Self::Start | Self::Alignment | Self::Network | Self::Delivery | Self::Reading => true,
            Self::Pin(_) => meter.pin_missing,
            Self::Phases => meter.phases.iter().any(Phase::is_known),
            Self::Totals => meter.import.total.is_some() || meter.export.total.is_some(),
            Self::Tariffs(direction) => meter.energy(direction).has_tariffs(),
        }
    }

    /// How soon the page looks different although its view stays the same; `None` when it does not
    /// move, other than by the seconds of an age.
    #[must_use]
    pub const fn frame_time(self) -> Option<Duration> {
        match self {
            Self::Reading | Self::Pin(_) => Some(pages::BEAT),
            _ => None,
        }
    }
}

/// The two sizes of panels that pages are laid out for, less the room in which they move about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// 128×64: SSD1306 and SH1106.
    Large,
    /// 72×40: the 0.42" display of small boards.
    Small,
}

impl Panel {
    /// The largest panel that fits a display. What does not fit the smallest one is cut by it.
    #[must_use]
    pub const fn within(size: Size) -> Self {
        if size.width >= 128 && size.height >= 64 {
            Self::Large
        } else {
            Self::Small
        }
    }

    /// The area that a page fills.
    #[must_use]
    pub const fn page_size(self) -> Size {
        match self {
            Self::Large => Size::new(124, 60),
            Self::Small => Size::new(70, 38),
        }
    }
}

/// Draws a page into the top left corner of a cleared display.
///
/// # Errors
///
/// The first error of the display.
pub fn draw<D>(page: Page, view: &View<'_>, now: Duration, target: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let panel = Panel::within(target.bounding_box().size);
    let mut display = Display::new(target);
    write(page, view, now, panel, &mut display);
    display.finish()
}

/// Draws a page on any paper.
pub(crate) fn write(
    page: Page,
    view: &View<'_>,
    now: Duration,
    panel: Panel,
    paper: &mut dyn Paper,
) {
    match (page, &view.meter) {
        (Page::Start, _) => pages::start::write(view, panel, paper),
        (Page::Alignment, _) => pages::alignment::write(&view.head, panel, paper),
        (Page::Network, _) => pages::network::write(view, panel, paper),
        (Page::Delivery, _) => pages::delivery::write(view, now, panel, paper),
        (Page::Pin(step), _) => pages::pin::write(step, now, panel, paper),
        (Page::Reading, Some(meter)) => pages::reading::write(meter, view, now, panel, paper),
        (Page::Phases, Some(meter)) => {
            // Old values must not look new.
            let phases = if meter.is_stale(now) {
                [Phase::default(); 3]
            } else {
                meter.phases
            };
            pages::phases::write(&phases, panel, paper);
        }
        (Page::Totals, Some(meter)) => pages::totals::write(meter, panel, paper),
        (Page::Tariffs(direction), Some(meter)) => {
            pages::tariffs::write(meter, direction, panel, paper);
        }
        (_, None) => {}
    }
}
