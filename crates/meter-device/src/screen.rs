//! What the display shows, and when.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_graphics::draw_target::DrawTarget as _;
use embedded_graphics::pixelcolor::BinaryColor;
use meter_screens::{
    Brightness, Carousel, CarouselConfig, Delivery, Device, Fault, Meter, Network, View,
};

use crate::board::{Board, Screen as _, Time as _};
use crate::context::{Context, Task};

/// A display is not drawn more often than this, whatever happens.
const FRAME: Duration = Duration::from_millis(100);

/// Draws for ever.
pub async fn run<B: Board>(context: &Context<'_, B>, mut screen: B::Screen) -> ! {
    let config = {
        let display = &context.settings.borrow().display;
        CarouselConfig {
            dim_after: display.dim_after.span(),
            sleep_after: display.sleep_after.span(),
            ..CarouselConfig::default()
        }
    };
    let mut carousel = Carousel::new(config, context.now());
    loop {
        context.alive(Task::Screen);
        let now = context.now();
        let next = with_view(context, |view| {
            carousel.poll(now, view);
            let canvas = screen.canvas();
            if carousel.brightness(now) != Brightness::Off {
                // A display that is not there shows nothing.
                let _ = canvas.clear(BinaryColor::Off);
                let _ = carousel.draw(view, now, canvas);
            }
            carousel.poll_at(now)
        });
        screen.show(carousel.brightness(now)).await;
        context.time.pause(FRAME).await;
        let rest = context.rest(Task::Screen, &context.to_screen, Some(next));
        if let Either::Second(()) = select(rest, screen.pressed()).await {
            let now = context.now();
            with_view(context, |view| carousel.press(now, view));
        }
    }
}

/// Puts together what there is to show.
fn with_view<B: Board, T>(context: &Context<'_, B>, use_it: impl FnOnce(&View<'_>) -> T) -> T {
    let settings = context.settings.borrow();
    let latest = context.latest.borrow();
    let link = context.link.borrow();
    let delivery = context.delivery.borrow();
    let reading = latest.reading();
    let view = View {
        device: Device {
            name: &settings.name,
            firmware: context.version,
        },
        meter: reading
            .as_ref()
            .map(|reading| Meter::of(reading, latest.at, latest.pin_missing)),
        head: context.head.get(),
        network: Network {
            ssid: &link.ssid,
            signal_dbm: link.signal_dbm,
            address: link.address.map(Into::into),
        },
        delivery: Delivery {
            backlog: context.backlog.get(),
            delivered_at: delivery.at,
            error: delivery.fault.as_ref().map(|fault| Fault {
                text: &fault.text,
                at: fault.at,
            }),
        },
        time: context.utc(),
        utc_offset_minutes: settings.display.utc_offset_minutes,
    };
    use_it(&view)
}
