//! The board: all its parts, started.

use device_network::{Net, Room, SOCKETS};
use embassy_executor::Spawner;
use embassy_net::StackResources;
use esp_hal::gpio::{AnyPin, Input, InputConfig, Level, Output, OutputConfig, Pull};
use esp_hal::i2c::master::{Config as BusConfig, I2c};
use esp_hal::interrupt::Priority;
use esp_hal::peripherals::{I2C0, Peripherals};
use esp_hal::rng::Rng;
use esp_hal::rtc_cntl::Rtc;
use esp_hal::time::Rate;
use esp_hal::timer::timg::TimerGroup;
use esp_hal::uart::UartRx;
use esp_radio::wifi::{Interface, WifiController};
use esp_rtos::embassy::InterruptExecutor;
use meter_core::UnixMillis;
use meter_device::app::Parts;
use meter_device::board;
use oled::{Frame, Oled, Panel};
use static_cell::StaticCell;

use crate::chip::{Chip, Light};
use crate::clock::Clock;
use crate::console::{Keyboard, Paper};
use crate::flash::{self, Part};
use crate::line::{self, Line, Reader};
use crate::memory;
use crate::screen::Screen;
use crate::wifi::{self, Wifi};
use crate::wiring::{BUILT, Display, Pins, pins};

/// SML's speed, on optical heads.
const METER_BAUD: u32 = 9_600;
/// Of the console, where it is a serial port.
#[cfg(console = "uart")]
const CONSOLE_BAUD: u32 = 115_200;

/// What the meter says.
static HEAD: Line = Line::new();
#[cfg(console = "uart")]
static TYPED: Line = Line::new();

/// A board with one of Espressif's chips.
pub struct Esp;

impl board::Board for Esp {
    type Time = Clock;
    type Radio = Wifi;
    type Network = Net;
    type Flash = Part;
    type Head = Reader;
    type Keyboard = Keyboard;
    type Paper = Paper;
    type Screen = Screen;
    type Chip = Chip;
}

/// Why a board does not start.
#[derive(Debug)]
pub enum Fault {
    /// The radio does not.
    Radio,
    /// The partition table has no `store`: only the application was flashed.
    Store,
    /// A task was started twice.
    Task,
    /// TLS was started twice.
    Tls,
    /// A port cannot be set up.
    Port,
}

/// Starts everything.
pub fn start(chip: Peripherals, spawner: Spawner) -> Result<Parts<Esp>, Fault> {
    memory::give_heap!();
    let group = TimerGroup::new(chip.TIMG0);
    esp_rtos::start(group.timer0, chip.FROM_CPU_INTR0);
    let Pins {
        head,
        console,
        display,
        light,
        button,
        low,
    } = pins!(chip);
    for pin in low {
        // A pin stays as it is when its driver goes only if it is forgotten.
        core::mem::forget(Output::new(pin, Level::Low, OutputConfig::default()));
    }
    let light = light.map(|(pin, high)| Light {
        pin: Output::new(pin, (!high).into(), OutputConfig::default()),
        high,
    });
    let rest = Chip::new(Rtc::new(chip.RTC_TIMER), light, &HEAD);

    static UNDISTURBED: StaticCell<InterruptExecutor<1>> = StaticCell::new();
    let undisturbed = UNDISTURBED
        .init(InterruptExecutor::new(chip.FROM_CPU_INTR1))
        .start(Priority::Priority3);
    let port = UartRx::new(chip.UART1, line::config(METER_BAUD)).map_err(|_| Fault::Port)?;
    undisturbed.spawn(line::read(port.with_rx(head), &HEAD).map_err(|_| Fault::Task)?);

    #[cfg(console = "usb")]
    let (keyboard, paper) = {
        let () = console;
        let port = esp_hal::usb::usb_serial_jtag::UsbSerialJtag::new(chip.USB_DEVICE);
        let (keyboard, paper) = port.into_async().split();
        (Keyboard(keyboard), Paper::new(paper))
    };
    #[cfg(console = "uart")]
    let (keyboard, paper) = {
        let (rx, tx) = console;
        let port = esp_hal::uart::Uart::new(chip.UART0, line::config(CONSOLE_BAUD));
        let port = port.map_err(|_| Fault::Port)?.with_rx(rx).with_tx(tx);
        let (typed, paper) = port.split();
        undisturbed.spawn(line::read(typed, &TYPED).map_err(|_| Fault::Task)?);
        (Reader(&TYPED), Paper(paper.into_async()))
    };

    let controller = WifiController::new(chip.WIFI, wifi::config()).map_err(|_| Fault::Radio)?;
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static ROOM: StaticCell<Room> = StaticCell::new();
    let random = Rng::new();
    let seed = u64::from(random.random()) << 32 | u64::from(random.random());
    let (stack, runner) = embassy_net::new(
        Interface::station(),
        embassy_net::Config::default(),
        RESOURCES.init(StackResources::new()),
        seed,
    );
    spawner.spawn(wifi::run(runner).map_err(|_| Fault::Task)?);

    let store = flash::divide(chip.FLASH).ok_or(Fault::Store)?;
    Ok(Parts {
        time: Clock,
        radio: Wifi::new(controller, stack),
        network: Net::new(stack, ROOM.init(Room::new()), |buffer| {
            Rng::new().read(buffer);
        })
        .map_err(|_| Fault::Tls)?,
        settings: store.settings,
        ring: store.ring,
        outbox: store.outbox,
        head: Reader(&HEAD),
        keyboard,
        paper,
        screen: screen(chip.I2C0, display, button),
        chip: rest,
        built: UnixMillis(BUILT),
        version: env!("CARGO_PKG_VERSION"),
    })
}

fn screen(bus: I2C0<'static>, display: Option<Display>, button: Option<AnyPin<'static>>) -> Screen {
    let up = InputConfig::default().with_pull(Pull::Up);
    let button = button.map(|pin| Input::new(pin, up));
    let panel = display
        .as_ref()
        .map_or(Panel::Ssd1306, |display| display.panel);
    let oled = display.and_then(|Display { panel, sda, scl }| {
        let config = BusConfig::default().with_frequency(Rate::from_khz(400));
        let bus = I2c::new(bus, config).ok()?.with_sda(sda).with_scl(scl);
        Some(Oled::new(bus.into_async(), panel))
    });
    Screen::new(Frame::new(panel), oled, button)
}
