//! QEMU's monitor: what a person would do to the board with cable, button and eyes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::Result;

/// Where the display's memory is: `PANEL` in `firmware/qemu-virt/src/registers.rs`.
const PANEL: u32 = 0x8081_0000;
/// A word for the light, and a bit for each point.
const PANEL_SIZE: usize = 4 + WIDTH / 8 * HEIGHT;

/// Points of the display in a row.
pub const WIDTH: usize = 128;
/// Rows of points.
pub const HEIGHT: usize = 64;

/// The other end of QEMU's machine protocol.
#[derive(Debug)]
pub(crate) struct Monitor {
    lines: BufReader<UnixStream>,
    folder: PathBuf,
}

/// What the display shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// How bright it is, from 0 to 255.
    pub light: u8,
    /// Whether a point is lit, row by row.
    pub points: Vec<bool>,
}

impl Monitor {
    /// Talks through a socket; `folder` is for what QEMU writes.
    pub(crate) fn new(stream: UnixStream, folder: PathBuf) -> Result<Self> {
        let mut monitor = Self {
            lines: BufReader::new(stream),
            folder,
        };
        monitor.next()?;
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    fn next(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Lets QEMU do something, and waits until it has.
    pub(crate) fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let order = json!({ "execute": command, "arguments": arguments });
        writeln!(self.lines.get_mut(), "{order}")?;
        loop {
            let answer = self.next()?;
            if let Some(error) = answer.get("error") {
                return Err(format!("{command}: {error}").into());
            }
            // Between them come notes of what happens by itself.
            if let Some(done) = answer.get("return") {
                return Ok(done.clone());
            }
        }
    }

    /// Reads the display's memory.
    pub(crate) fn picture(&mut self) -> Result<Picture> {
        let file = self.folder.join("panel");
        self.execute(
            "pmemsave",
            &json!({ "val": PANEL, "size": PANEL_SIZE, "filename": file }),
        )?;
        let memory = fs::read(file)?;
        let (light, rows) = memory.split_at_checked(4).ok_or("the panel is too short")?;
        Ok(Picture {
            light: light[0],
            points: rows
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| byte & 0x80 >> bit != 0))
                .collect(),
        })
    }
}
