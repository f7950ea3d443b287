//! Views that tell whether a layout holds, and a display in memory.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use meter_core::{Decimal, Direction, ServerId, UnixMillis};
use meter_screens::{Delivery, Device, Energy, Fault, Head, Meter, Network, Phase, Sight, View};

/// The time at which all views are looked at.
pub const NOW: Duration = Duration::from_secs(100_000);

/// A display that keeps its pixels and counts those that it does not have.
pub struct Picture {
    pub size: Size,
    pub pixels: Vec<bool>,
    pub outside: usize,
}

impl Picture {
    pub fn new(width: u32, height: u32) -> Self {
        let pixels = usize::try_from(width * height).unwrap_or(0);
        Self {
            size: Size::new(width, height),
            pixels: vec![false; pixels],
            outside: 0,
        }
    }

    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        let index = usize::try_from(y * self.size.width + x).ok();
        index.and_then(|index| self.pixels.get(index)) == Some(&true)
    }
}

impl OriginDimensions for Picture {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Picture {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, colour) in pixels {
            let place = u32::try_from(point.x)
                .ok()
                .zip(u32::try_from(point.y).ok())
                .filter(|(x, y)| *x < self.size.width && *y < self.size.height)
                .and_then(|(x, y)| usize::try_from(y * self.size.width + x).ok());
            match place.and_then(|place| self.pixels.get_mut(place)) {
                Some(pixel) => *pixel = colour.is_on(),
                None => self.outside += 1,
            }
        }
        Ok(())
    }
}

/// A name for each view, and the view.
pub fn all() -> Vec<(&'static str, View<'static>)> {
    vec![
        ("house", house()),
        ("sun", sun()),
        ("large", large()),
        ("empty", empty()),
        ("locked", locked()),
        ("stale", stale()),
    ]
}

fn meter(id: &'static [u8]) -> Meter<'static> {
    Meter {
        id: ServerId(id).meter_id(),
        at: NOW,
        power: None,
        direction: None,
        import: Energy::default(),
        export: Energy::default(),
        phases: [Phase::default(); 3],
        pin_missing: false,
    }
}

const fn total(value: u64, scaler: i8) -> Energy {
    Energy {
        total: Some(Decimal::new(value, scaler)),
        tariffs: [None; 4],
    }
}

const fn power(value: i64, scaler: i8) -> Phase {
    Phase {
        power: Some(Decimal::signed(value, scaler)),
        voltage: None,
        current: None,
    }
}

fn device() -> View<'static> {
    View {
        device: Device {
            name: "meter-cellar",
            firmware: "0.1.0",
        },
        head: Head {
            sight: Sight::Good,
            bytes_per_second: 248,
            good_bytes_per_second: 248,
            best_bytes_per_second: 252,
            frames: 99_874,
            crc_errors: 3,
            last_frame: Some(NOW),
        },
        network: Network {
            ssid: "Gänseblümchen 7",
            signal_dbm: Some(-61),
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 168, 178, 42))),
        },
        delivery: Delivery {
            backlog: 0,
            delivered_at: Some(NOW.saturating_sub(Duration::from_secs(4))),
            error: None,
        },
        time: Some(UnixMillis(1_795_370_000_000)),
        utc_offset_minutes: 60,
        ..View::default()
    }
}

/// A household that draws.
fn house() -> View<'static> {
    View {
        meter: Some(Meter {
            power: Some(Decimal::signed(376, 0)),
            direction: Some(Direction::Import),
            import: total(29_416_461_614, -4),
            phases: [power(154, 0), power(19, 0), power(203, 0)],
            ..meter(b"\x0a\x01EMH\x00\x00\xa1\xbd\x34")
        }),
        ..device()
    }
}

/// A household that feeds in, from a meter that sends all that it has.
fn sun() -> View<'static> {
    let phase = |power, voltage, current| Phase {
        power: Some(Decimal::signed(power, -1)),
        voltage: Some(Decimal::new(voltage, -1)),
        current: Some(Decimal::new(current, -2)),
    };
    View {
        meter: Some(Meter {
            power: Some(Decimal::signed(-48_731, -1)),
            direction: Some(Direction::Export),
            import: Energy {
                total: Some(Decimal::new(168_248_565, -1)),
                tariffs: [
                    Some(Decimal::new(120_248_565, -1)),
                    Some(Decimal::new(48_000_000, -1)),
                    None,
                    None,
                ],
            },
            export: total(235_592_904, -1),
            phases: [
                phase(-16_804, 2341, 718),
                phase(-17_001, 2338, 727),
                phase(-14_926, 2350, 635),
            ],
            ..meter(b"\x0a\x01LGZ\x00\x03\xb5\x99\xa5")
        }),
        delivery: Delivery {
            backlog: 1312,
            delivered_at: Some(NOW.saturating_sub(Duration::from_hours(3))),
            error: Some(Fault {
                text: "the server's certificate expired",
                at: NOW.saturating_sub(Duration::from_secs(130)),
            }),
        },
        ..device()
    }
}

/// The longest of everything.
fn large() -> View<'static> {
    let energy = Energy {
        total: Some(Decimal::new(9_999_999_999_999_999, -4)),
        tariffs: [Some(Decimal::new(9_999_999_999_999_999, -4)); 4],
    };
    let phase = Phase {
        power: Some(Decimal::signed(-999_999, -1)),
        voltage: Some(Decimal::new(40_000, -2)),
        current: Some(Decimal::new(100_025, -3)),
    };
    View {
        device: Device {
            name: "meter-in-the-cellar-behind-the-shelf-with-the-jam",
            firmware: "10.20.30-rc.12+g1234567",
        },
        meter: Some(Meter {
            power: Some(Decimal::signed(-999_999, -1)),
            direction: Some(Direction::Export),
            import: energy,
            export: energy,
            phases: [phase; 3],
            ..meter(b"\xffa server id of 31 letters, or so")
        }),
        head: Head {
            sight: Sight::Noise,
            bytes_per_second: u32::MAX,
            good_bytes_per_second: u32::MAX / 3,
            best_bytes_per_second: u32::MAX,
            frames: u32::MAX,
            crc_errors: u32::MAX,
            last_frame: Some(NOW),
        },
        network: Network {
            ssid: "WWWWWWWW WWWWWWWWWWWWWW WWWWWWWW",
            signal_dbm: Some(i8::MIN),
            address: Some(IpAddr::V6(Ipv6Addr::new(
                0xfd00, 0x1234, 0x5678, 0x9abc, 0xdef0, 0x1234, 0x5678, 0x9abc,
            ))),
        },
        delivery: Delivery {
            backlog: u32::MAX,
            delivered_at: Some(Duration::ZERO),
            error: Some(Fault {
                text: "the server at meters.example.org answered 503 Service Unavailable and asks for a pause of 3600 seconds; readings wait",
                at: Duration::ZERO,
            }),
        },
        ..device()
    }
}

/// Just switched on, on a head that lies on the table.
fn empty() -> View<'static> {
    View {
        device: Device {
            name: "meter-1a2b3c",
            firmware: "0.1.0",
        },
        ..View::default()
    }
}

/// A meter whose PIN was not entered, on a head that sees itself.
fn locked() -> View<'static> {
    View {
        meter: Some(Meter {
            import: total(2324, 3),
            pin_missing: true,
            ..meter(b"\x0a\x01HLY\x02\x00\x34\x56\x78")
        }),
        head: Head {
            sight: Sight::Echo,
            bytes_per_second: 96,
            best_bytes_per_second: 232,
            frames: 12,
            crc_errors: 40,
            ..Head::default()
        },
        ..device()
    }
}

/// A meter that has not been heard of for a while.
fn stale() -> View<'static> {
    let heard = NOW.saturating_sub(Duration::from_mins(7));
    let house = house();
    View {
        meter: house.meter.map(|meter| Meter { at: heard, ..meter }),
        head: Head {
            sight: Sight::Noise,
            bytes_per_second: 180,
            good_bytes_per_second: 60,
            last_frame: Some(heard),
            ..house.head
        },
        ..house
    }
}
