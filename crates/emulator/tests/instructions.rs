//! How many instructions the device spends on what it does all day, held against the numbers in
//! `firmware/qemu-virt/instructions.toml`.
//!
//! An instruction is one of QEMU's riscv32, whose time is counted in them: the numbers do not depend on how
//! busy the host is. What varies is what the other side sends, and random numbers in handshakes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use emulator::{Board, Program, Result, Setup};
use meter_sim::backend::{Answer, Backend, Behaviour, Config, Step};
use meter_sim::{Meter, MeterConfig, model};
use serde::Deserialize;

/// How often each thing is counted.
const TELEGRAMS: usize = 20;
const HANDSHAKES: usize = 5;
const DELIVERIES: usize = 10;

/// So long the server thinks: else its answer comes now with the acknowledgement, now in a packet after it.
const THINKS: Duration = Duration::from_millis(20);

/// What stands in the file for one thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    /// How many instructions it takes.
    instructions: u64,
    /// Which of those that were counted is meant.
    of: Of,
    /// By how many percent of them it may be more.
    tolerance: u64,
}

/// Which of several numbers counts.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    /// The one in the middle: what is lost to the host's haste at times is gained at others.
    Median,
    /// The least: nothing had to be sent twice.
    Least,
}

/// What was counted, in the order in which it was.
type Counted = BTreeMap<&'static str, Vec<u64>>;

#[test]
fn it_takes_no_more_instructions_than_agreed() -> Result {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware/qemu-virt/instructions.toml");
    let limits: BTreeMap<String, Limit> = toml::from_str(&fs::read_to_string(&file)?)?;
    let setup = Setup {
        program: Program::Measure,
        counts: true,
        ..Setup::default()
    };
    let Some(mut board) = setup.start()? else {
        return Ok(());
    };
    let mut counted = Counted::new();
    count_telegrams(&mut board, &mut counted)?;
    count_connections(&mut board, &mut counted)?;
    let (report, exceeded) = compare(&counted, &limits)?;
    eprintln!("{report}");
    assert!(exceeded.is_empty(), "{}\n{report}", exceeded.join("\n"));
    Ok(())
}

fn count_telegrams(board: &mut Board, counted: &mut Counted) -> Result {
    let meter = Meter::new(model::find("emh-mme40")?, &MeterConfig::default());
    board.enter(&format!("telegrams|{TELEGRAMS}"))?;
    board.until("ready")?;
    for telegram in meter.take(TELEGRAMS) {
        for octet in &telegram.bytes {
            board.send(&[*octet])?;
            thread::sleep(Duration::from_micros(1_042));
        }
        count(board, "telegram", counted.entry("telegram").or_default())?;
    }
    board.until("done").map(drop)
}

/// Two servers in turn make each handshake a full one: the device remembers one session.
fn count_connections(board: &mut Board, counted: &mut Counted) -> Result {
    let runtime = tokio::runtime::Runtime::new()?;
    let config = || Config {
        host: "10.0.2.2".to_owned(),
        ..Config::default()
    };
    let servers = runtime.block_on(async {
        Ok::<_, meter_sim::backend::StartError>([
            Backend::start(config())?,
            Backend::start(config())?,
        ])
    })?;
    for server in &servers {
        server.set_behaviour(Behaviour {
            then: Step::Late(THINKS, Answer::status(200)),
            ..Behaviour::accept()
        });
    }
    board.enter("join|qemu|let me in 1234")?;
    board.until("joined true")?;
    for round in 0..HANDSHAKES {
        let server = &servers[round % 2];
        trust(board, server)?;
        connect(board, server, "full handshake", DELIVERIES, counted)?;
        connect(board, server, "resumed handshake", 1, counted)?;
    }
    Ok(())
}

fn trust(board: &mut Board, server: &Backend) -> Result {
    let pem = server.ca_pem();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let hex = STANDARD
        .decode(base64)?
        .iter()
        .fold(String::new(), |mut hex, octet| {
            // A string takes everything.
            let _ = write!(hex, "{octet:02x}");
            hex
        });
    board.enter(&format!("ca|{hex}"))?;
    board.until("ca of").map(drop)
}

fn connect(
    board: &mut Board,
    server: &Backend,
    handshake: &'static str,
    deliveries: usize,
    counted: &mut Counted,
) -> Result {
    board.enter(&format!("deliver|10.0.2.2|{}|{deliveries}", server.port()))?;
    count(board, "handshake", counted.entry(handshake).or_default())?;
    for _ in 0..deliveries {
        count(board, "delivery", counted.entry("delivery").or_default())?;
    }
    board.until("done").map(drop)
}

fn count(board: &mut Board, what: &str, into: &mut Vec<u64>) -> Result {
    let said = board.until(&format!("{what} "))?;
    let (_, number) = said.rsplit_once(' ').ok_or("no number")?;
    into.push(number.parse()?);
    Ok(())
}

/// What was counted beside what was agreed, and what is too much.
fn compare(counted: &Counted, limits: &BTreeMap<String, Limit>) -> Result<(String, Vec<String>)> {
    let mut report = "instructions      least     median       most    agreed".to_owned();
    let mut exceeded = Vec::new();
    for (what, numbers) in counted {
        let limit = limits
            .get(*what)
            .ok_or_else(|| format!("{what} is not in the file"))?;
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let [least, median, most] =
            [0, sorted.len() / 2, sorted.len() - 1].map(|place| sorted[place]);
        let Limit {
            instructions: agreed,
            of,
            tolerance,
        } = *limit;
        let (name, now) = match of {
            Of::Median => ("median", median),
            Of::Least => ("least", least),
        };
        write!(
            report,
            "\n{what:<17} {least:>9} {median:>9} {most:>9} {agreed:>9} ({name}, {tolerance} %)"
        )?;
        if now > agreed + agreed * tolerance / 100 {
            exceeded.push(format!(
                "{what} takes {now} instructions, and {agreed} are agreed: make it less, or change instructions.toml knowingly"
            ));
        } else if now < agreed - agreed * tolerance / 100 {
            write!(report, "  better: write {now} into instructions.toml")?;
        }
    }
    let forgotten = limits
        .keys()
        .filter(|what| !counted.contains_key(what.as_str()));
    exceeded.extend(forgotten.map(|what| format!("{what} was not counted")));
    Ok((report, exceeded))
}
