//! The rest of the chip: watchdog, light, random numbers, memory, and why it was started.

use esp_hal::gpio::Output;
use esp_hal::rng::Rng;
use esp_hal::rtc_cntl::{Rtc, RwdtStage, RwdtStageAction};
use esp_hal::time::Duration;
use meter_device::board::{self, Memory, Start, WATCHDOG};
use static_cell::StaticCell;

use crate::line::Line;
use crate::memory;
use crate::words::{self, End, Words};

/// When the chip alone was restarted in vain, its clock and power are too, after so long.
const HARDER: Duration = Duration::from_secs(10);

/// Watchdog, light and the like.
pub struct Chip {
    rtc: Rtc<'static>,
    light: Option<Light>,
    head: &'static Line,
    start: Start,
    words: Option<&'static str>,
}

/// A light, and whether it shines when its pin is high.
pub struct Light {
    pub pin: Output<'static>,
    pub high: bool,
}

impl Chip {
    /// Starts the watchdog, and hears the last words.
    pub fn new(mut rtc: Rtc<'static>, light: Option<Light>, head: &'static Line) -> Self {
        let millis = u64::try_from(WATCHDOG.as_millis()).unwrap_or(u64::MAX);
        let watchdog = &mut rtc.rwdt;
        watchdog.enable();
        watchdog.set_timeout(RwdtStage::Stage0, Duration::from_millis(millis));
        watchdog.set_timeout(RwdtStage::Stage1, HARDER);
        // The first stage leaves the last words where they are.
        watchdog.set_stage_action(RwdtStage::Stage0, RwdtStageAction::ResetCore);
        watchdog.set_stage_action(RwdtStage::Stage1, RwdtStageAction::ResetSystem);
        let (end, words) = words::take().unzip();
        static WORDS: StaticCell<Words> = StaticCell::new();
        let mut chip = Self {
            rtc,
            light,
            head,
            start: started_by(end),
            words: words.map(|words| WORDS.init(words).as_str()),
        };
        board::Chip::light(&mut chip, false);
        chip
    }
}

/// Numbers of the technical reference manuals; what they have in common, they number alike.
fn started_by(end: Option<End>) -> Start {
    match esp_hal::system::reset_reason().map(|reason| reason as u8) {
        // Software reset the core, or the processor.
        Some(0x03 | 0x0c) if end == Some(End::Panic) => Start::Panic,
        Some(0x03 | 0x0c) => Start::Asked,
        // Of the main watchdogs, the RTC's and the super watchdog.
        Some(0x07..=0x09 | 0x0b | 0x0d | 0x10..=0x12) => Start::Watchdog,
        Some(0x0f) => Start::BrownOut,
        _ => Start::Power,
    }
}

impl board::Chip for Chip {
    #[cfg(feature = "esp32")]
    const NAME: &'static str = "esp32";
    #[cfg(feature = "esp32s3")]
    const NAME: &'static str = "esp32s3";
    #[cfg(feature = "esp32c3")]
    const NAME: &'static str = "esp32c3";
    #[cfg(feature = "esp32c6")]
    const NAME: &'static str = "esp32c6";

    fn feed(&mut self) {
        self.rtc.rwdt.feed();
    }

    fn light(&mut self, on: bool) {
        if let Some(light) = &mut self.light {
            light.pin.set_level((on == light.high).into());
        }
    }

    fn random(&mut self) -> u32 {
        Rng::new().random()
    }

    fn memory(&self) -> Memory {
        memory::measure()
    }

    fn overrun(&self) -> u32 {
        self.head.lost()
    }

    fn last_words(&mut self) -> (Start, Option<&'static str>) {
        (
            self.start,
            self.words.take().filter(|words| !words.is_empty()),
        )
    }

    fn restart(&mut self) {
        words::leave(End::Asked, format_args!(""));
        esp_hal::system::software_reset()
    }
}
