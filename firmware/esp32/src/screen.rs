//! The display and the button.

use core::future::pending;

use embassy_time::{Duration, Timer, with_timeout};
use esp_hal::Async;
use esp_hal::gpio::Input;
use esp_hal::i2c::master::I2c;
use meter_device::board;
use meter_screens::Brightness;
use oled::{Frame, Light, Oled};

/// A picture takes 25 ms at 400 kHz. A display that holds the bus is as bad as none.
const PATIENCE: Duration = Duration::from_millis(200);
/// A display that does not answer is looked for again after so many pictures.
const AGAIN: u32 = 60;
/// A button that is pressed shakes.
const SHAKE: Duration = Duration::from_millis(30);

/// The display, perhaps, and the button, perhaps.
pub struct Screen {
    frame: Frame,
    oled: Option<Oled<I2c<'static, Async>>>,
    button: Option<Input<'static>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// It is to be started before the next picture.
    Unknown,
    Answers,
    /// It is left alone for so many pictures.
    Silent(u32),
}

impl Screen {
    /// The display was not spoken to yet.
    pub fn new(
        frame: Frame,
        oled: Option<Oled<I2c<'static, Async>>>,
        button: Option<Input<'static>>,
    ) -> Self {
        Self {
            frame,
            oled,
            button,
            state: State::Unknown,
        }
    }

    /// Whether it took the picture.
    async fn try_show(&mut self, light: Light) -> Option<()> {
        let oled = self.oled.as_mut()?;
        let start = self.state != State::Answers;
        let frame = &self.frame;
        let picture = async {
            if start {
                oled.start().await?;
            }
            if light != Light::Off {
                oled.show(frame).await?;
            }
            oled.shine(light).await
        };
        with_timeout(PATIENCE, picture).await.ok()?.ok()
    }
}

impl board::Screen for Screen {
    type Canvas = Frame;

    fn canvas(&mut self) -> &mut Frame {
        &mut self.frame
    }

    async fn show(&mut self, brightness: Brightness) {
        if let State::Silent(pictures) = self.state
            && pictures > 0
        {
            self.state = State::Silent(pictures - 1);
            return;
        }
        let light = match brightness {
            Brightness::Full => Light::On(0x9f),
            Brightness::Dim => Light::On(0x01),
            Brightness::Off => Light::Off,
        };
        self.state = match self.try_show(light).await {
            Some(()) => State::Answers,
            None => State::Silent(AGAIN),
        };
    }

    async fn pressed(&mut self) {
        let Some(button) = &mut self.button else {
            return pending().await;
        };
        loop {
            button.wait_for_falling_edge().await;
            Timer::after(SHAKE).await;
            if button.is_low() {
                return;
            }
        }
    }
}
