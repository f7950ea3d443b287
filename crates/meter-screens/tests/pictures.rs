//! Each page on each panel, compared pixel by pixel with the pictures beside this file.
//!
//! With `METERLINE_BLESS=1` in the environment, the pictures are written anew instead. Look at them
//! before they are committed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod views;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use meter_core::Direction;
use meter_screens::{Page, PinStep, draw};
use views::{NOW, Picture};

/// Pixels of a picture for each pixel of a display.
const SCALE: u32 = 4;
const PANELS: [(u32, u32); 2] = [(128, 64), (72, 40)];

/// What the documentation shows, in rows: each page, with the view that says most about it.
const GUIDE: [[(Page, &str); 4]; 4] = [
    [
        (Page::Start, "house"),
        (Page::Reading, "house"),
        (Page::Reading, "sun"),
        (Page::Reading, "stale"),
    ],
    [
        (Page::Phases, "house"),
        (Page::Phases, "sun"),
        (Page::Totals, "sun"),
        (Page::Tariffs(Direction::Import), "sun"),
    ],
    [
        (Page::Network, "house"),
        (Page::Delivery, "sun"),
        (Page::Alignment, "house"),
        (Page::Alignment, "stale"),
    ],
    [
        (Page::Pin(PinStep::Ask), "locked"),
        (Page::Pin(PinStep::Call), "locked"),
        (Page::Pin(PinStep::Digits), "locked"),
        (Page::Pin(PinStep::Keep), "locked"),
    ],
];

#[test]
fn pages_look_as_they_did() {
    let mut drawn = BTreeMap::new();
    for (width, height) in PANELS {
        let mut rows = Vec::new();
        for page in Page::ALL {
            let mut row = Vec::new();
            for (view_name, view) in views::all() {
                if !page.has_something(&view) {
                    row.push(None);
                    continue;
                }
                let mut picture = Picture::new(width, height);
                draw(page, &view, NOW, &mut picture).unwrap();
                assert_eq!(
                    picture.outside, 0,
                    "{page:?} of {view_name} leaves the panel"
                );
                let name = format!("{width}x{height}/{}-{view_name}.png", file_name(page));
                drawn.insert(name, encode(&Sheet::of(&picture)));
                row.push(Some(picture));
            }
            rows.push(row);
        }
        let sheet = Sheet::contact(&rows, width, height);
        drawn.insert(format!("{width}x{height}.png"), encode(&sheet));
        let guide = Sheet::contact(&guide(width, height), width, height);
        drawn.insert(format!("guide-{width}x{height}.png"), encode(&guide));
    }
    compare(&drawn);
}

fn guide(width: u32, height: u32) -> Vec<Vec<Option<Picture>>> {
    let views: BTreeMap<_, _> = views::all().into_iter().collect();
    let picture = |(page, view): (Page, &str)| {
        let mut picture = Picture::new(width, height);
        draw(page, &views[view], NOW, &mut picture).unwrap();
        picture
    };
    GUIDE
        .iter()
        .map(|row| row.iter().map(|cell| Some(picture(*cell))).collect())
        .collect()
}

/// Compares files with those in the repository, or writes them.
fn compare(drawn: &BTreeMap<String, Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let bless = std::env::var_os("METERLINE_BLESS").is_some_and(|value| value == "1");
    if bless {
        let _none_yet = fs::remove_dir_all(&folder);
    }
    let mut different = Vec::new();
    for (name, bytes) in drawn {
        let kept = folder.join(name);
        if bless {
            write(&kept, bytes);
        } else if fs::read(&kept).ok().map(|kept| decode(&kept)) != Some(decode(bytes)) {
            let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            write(&beside, bytes);
            different.push(format!("{} is now {}", kept.display(), beside.display()));
        }
    }
    assert!(
        different.is_empty(),
        "pages look different:\n{}\nIf that is wanted, run the test with METERLINE_BLESS=1",
        different.join("\n")
    );
    for kept in pictures_in(&folder) {
        let name = kept.strip_prefix(&folder).unwrap().to_str().unwrap();
        assert!(drawn.contains_key(name), "{name} is a picture of no page");
    }
}

fn write(file: &Path, bytes: &[u8]) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

fn pictures_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                pictures_in(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// `Tariffs(Import)` as `tariffs-import`.
fn file_name(page: Page) -> String {
    let name = format!("{page:?}").to_lowercase().replace('(', "-");
    name.replace(')', "")
}

/// Black, white and, between the displays of a contact sheet, grey.
#[derive(Clone, PartialEq, Debug)]
struct Sheet {
    width: u32,
    height: u32,
    /// One of four shades for each pixel.
    shades: Vec<u8>,
}

const BLACK: u8 = 0;
const GREY: u8 = 1;
const WHITE: u8 = 3;

impl Sheet {
    fn new(width: u32, height: u32, shade: u8) -> Self {
        let pixels = usize::try_from(width * height).unwrap();
        Self {
            width,
            height,
            shades: vec![shade; pixels],
        }
    }

    fn of(picture: &Picture) -> Self {
        let mut sheet = Self::new(
            picture.size.width * SCALE,
            picture.size.height * SCALE,
            BLACK,
        );
        sheet.place(picture, 0, 0, SCALE);
        sheet
    }

    /// A row for each page, a column for each view.
    fn contact(rows: &[Vec<Option<Picture>>], width: u32, height: u32) -> Self {
        let scale = 2;
        let gap = 8;
        let (across, down) = (width * scale + gap, height * scale + gap);
        let longest = rows.iter().map(Vec::len).max().unwrap();
        let count = |length: usize| u32::try_from(length).unwrap();
        let mut sheet = Self::new(
            count(longest) * across + gap,
            count(rows.len()) * down + gap,
            GREY,
        );
        for (y, row) in (0..).zip(rows) {
            for (x, picture) in (0..).zip(row) {
                let Some(picture) = picture else { continue };
                sheet.place(picture, gap + x * across, gap + y * down, scale);
            }
        }
        sheet
    }

    fn place(&mut self, picture: &Picture, left: u32, top: u32, scale: u32) {
        for y in 0..picture.size.height * scale {
            for x in 0..picture.size.width * scale {
                let lit = picture.is_lit(x / scale, y / scale);
                let index = (top + y) * self.width + left + x;
                self.shades[usize::try_from(index).unwrap()] = if lit { WHITE } else { BLACK };
            }
        }
    }
}

fn encode(sheet: &Sheet) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, sheet.width, sheet.height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_compression(png::Compression::High);
    let width = usize::try_from(sheet.width).unwrap();
    let packed: Vec<u8> = sheet
        .shades
        .chunks(width)
        .flat_map(|row| row.chunks(4))
        .map(|four| (0..4).fold(0, |byte, i| byte << 2 | four.get(i).unwrap_or(&0)))
        .collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&packed).unwrap();
    writer.finish().unwrap();
    bytes
}

fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}
