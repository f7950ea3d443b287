//! What other programs ask other devices: the exact answers, and none when the value is too old.

mod choice;
mod ecotracker;
mod shelly;
mod tasmota;
mod vzlogger;

use std::net::SocketAddr;

use meter_core::UnixMillis;
use meter_sim::{MeterConfig, Telegram};
use sml_wire::Obis;
use tempfile::TempDir;

use crate::bench::{Head, Program, Result, TODAY, TestClocks};
use crate::client::{self, Answer, HTTP, get};

/// Everything that can be turned on.
const ALL: &str = "vzlogger = true\ntasmota = true\necotracker = true\nshelly = \"pro3em\"\n";

/// A program that has read one telegram of a three-phase meter.
struct Read {
    program: Program,
    address: SocketAddr,
    head: Head,
    telegram: Telegram,
}

impl Read {
    async fn new(keys: &str) -> Result<Self> {
        let mut head = Head::of("efr-sgm", &MeterConfig::default()).await?;
        let mut program = Program::start(&format!("{}{HTTP}{keys}", head.table("house")?))?;
        let address = client::address(&mut program).await?;
        let telegram = head.speak().await?;
        program.stored(1).await?;
        Ok(Self {
            program,
            address,
            head,
            telegram,
        })
    }

    /// The number of a register as the meter sent it.
    fn number(&self, cde: (u8, u8, u8)) -> String {
        let obis = Obis([1, 0, cde.0, cde.1, cde.2, 255]);
        self.telegram.number_text(obis).unwrap()
    }

    /// The same without what stands behind the point.
    fn whole(&self, cde: (u8, u8, u8)) -> String {
        let number = self.number(cde);
        let whole = number.split('.').next().unwrap();
        if whole == "-0" { "0" } else { whole }.to_owned()
    }

    /// The same in thousandths, by moving the point.
    fn kilo(&self, cde: (u8, u8, u8)) -> String {
        let number = self.number(cde);
        let (whole, decimals) = number.split_once('.').unwrap_or((&number, ""));
        let whole = format!("{whole:0>4}");
        let (thousands, rest) = whole.split_at(whole.len() - 3);
        format!("{thousands}.{rest}{decimals}")
    }

    /// When the reading was taken, in milliseconds.
    fn time(&self) -> i64 {
        self.program.view.borrow().meters[self.head.server_id()]
            .time
            .0
    }

    /// What the program answers to these paths five minutes later, when the meter says nothing any more.
    async fn later(self, keys: &str, paths: &[&str]) -> Result<Vec<Answer>> {
        let (program, address) = self.restart(keys).await?;
        let mut answers = Vec::new();
        for path in paths {
            answers.push(get(address, path).await?);
        }
        program.stop().await?;
        Ok(answers)
    }

    async fn restart(self, keys: &str) -> Result<(Program, SocketAddr)> {
        let Self {
            program, mut head, ..
        } = self;
        let state: TempDir = program.stop().await?;
        head.hang_up();
        let text = format!("{}{HTTP}{keys}", head.table("house")?);
        let clocks = TestClocks::at(UnixMillis(TODAY.0 + 300_000));
        let mut program = Program::start_at(&text, state, clocks)?;
        let address = client::address(&mut program).await?;
        program
            .until("the meter is known", |view| !view.meters.is_empty())
            .await?;
        // The port stays open, so that nobody is warned of it.
        std::mem::forget(head);
        Ok((program, address))
    }
}

/// The inside of an object in JSON.
fn members<const N: usize>(members: [(&str, String); N]) -> String {
    members
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .join(",")
}
