//! Each part in use, until the application takes them.

use core::time::Duration;

use embassy_futures::join::join4;
use embedded_io_async::{Read, Write};
use meter_core::UnixMillis;
use meter_device::board::{Board, Chip as _, Network, Radio, Screen, Security, Server, Time};
use meter_screens::Brightness;

use crate::board::{Esp, Started};
use crate::flash::{Part, Parts};

/// Uses everything.
pub async fn run(parts: Started) {
    let Started {
        clock,
        mut radio,
        network,
        flash,
        mut head,
        mut keyboard,
        mut paper,
        mut screen,
        mut chip,
    } = parts;
    let hear = async {
        let mut bytes = [0; 64];
        loop {
            let Ok(heard) = head.read(&mut bytes).await;
            let _ = paper.write(&bytes[..heard]).await;
            let _ = paper.flush().await;
            let Ok(_) = keyboard.read(&mut bytes).await;
        }
    };
    let connect = async {
        radio.scan(|_| ()).await;
        let _ = radio.join("ssid", "password", "meterline").await;
        let _ = radio.signal_dbm();
        let _ = network.ask_time("pool.ntp.org").await;
        let server = Server {
            host: "example.org",
            port: 443,
            security: Security::Tls { authority: None },
        };
        if let Ok(mut connection) = network.connect(&server, UnixMillis(0)).await {
            let _ = connection.write(b"GET / HTTP/1.0\r\n\r\n").await;
        }
        radio.lost().await;
    };
    let show = async {
        loop {
            screen.show(Brightness::Full).await;
            clock
                .at_most(Duration::from_secs(5), screen.pressed())
                .await;
        }
    };
    let watch = async {
        let _ = chip.last_words();
        let Parts {
            settings,
            ring,
            outbox,
        } = flash;
        for part in [settings, ring, outbox] {
            let _ = keep(part).await;
        }
        while chip.memory().heap > 0 && chip.overrun() == 0 {
            chip.feed();
            let dice = chip.random();
            chip.light(dice > 7);
            clock.pause(Duration::from_secs(1)).await;
        }
        chip.restart();
    };
    join4(hear, connect, show, watch).await;
}

async fn keep(mut part: <Esp as Board>::Flash) -> Option<()> {
    use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
    let part: &mut Part = &mut part;
    part.erase(0, 4096).await.ok()?;
    part.write(0, &[0; 4]).await.ok()?;
    part.read(0, &mut [0; 4]).await.ok()
}
