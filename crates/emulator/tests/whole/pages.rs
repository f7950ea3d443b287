//! What a person sees on the display, as pictures in `tests/pictures`.
//!
//! With `METERLINE_BLESS=1` in the environment they are written anew. Look at them afterwards.

use std::env;
use std::fs;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use emulator::{Board, HEIGHT, Picture, Result, WIDTH};
use meter_sim::{Meter, MeterConfig, model};

use crate::world::World;

/// A page is drawn within this.
const SOON: Duration = Duration::from_secs(5);

fn encode(picture: &Picture) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let [width, height] = [WIDTH, HEIGHT].map(u32::try_from);
    let mut encoder = png::Encoder::new(&mut bytes, width?, height?);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let octets = picture.points.chunks(8);
    let packed: Vec<u8> = octets
        .map(|eight| {
            eight
                .iter()
                .fold(0, |octet, lit| octet << 1 | u8::from(*lit))
        })
        .collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&packed)?;
    writer.finish()?;
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<Vec<bool>> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info()?;
    let mut packed = vec![0; reader.output_buffer_size().ok_or("too large")?];
    reader.next_frame(&mut packed)?;
    let bits = packed
        .iter()
        .flat_map(|octet| (0..8).map(move |bit| octet & 0x80 >> bit != 0));
    Ok(bits.collect())
}

/// The display soon shows this picture; what is in these rows varies, and is left out.
fn shows(board: &mut Board, name: &str, vary: Range<usize>) -> Result {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let file = folder.join(name).with_extension("png");
    if env::var_os("METERLINE_BLESS").is_some_and(|value| value == "1") {
        // There is no sign of a display that has been drawn.
        thread::sleep(Duration::from_millis(700));
        let mut picture = board.picture()?;
        picture.points[vary.start * WIDTH..vary.end * WIDTH].fill(false);
        return Ok(fs::write(file, encode(&picture)?)?);
    }
    let wanted = decode(&fs::read(file)?)?;
    let begin = Instant::now();
    loop {
        let mut picture = board.picture()?;
        picture.points[vary.start * WIDTH..vary.end * WIDTH].fill(false);
        if picture.points == wanted {
            return Ok(());
        }
        if begin.elapsed() > SOON {
            let seen = env::temp_dir().join(name).with_extension("png");
            fs::write(&seen, encode(&picture)?)?;
            return Err(format!("{name} looks different: see {}", seen.display()).into());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_person_sees_what_was_read() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&world.rest(""))? else {
        return Ok(());
    };
    let config = MeterConfig {
        pv_peak_w: 9_900,
        ..MeterConfig::default()
    };
    shows(&mut board, "start", 0..0)?;
    let mut meter = Meter::new(model::find("emh-mme40")?, &config);
    board.send(&meter.telegram().bytes)?;
    world.arrive(1);
    // The time, and how long ago something was sent.
    for (page, vary) in [
        ("reading", 0..0),
        ("phases", 0..0),
        ("import", 0..0),
        ("network", 48..HEIGHT),
        ("delivery", 13..24),
    ] {
        board.press()?;
        shows(&mut board, page, vary)?;
    }
    Ok(())
}
