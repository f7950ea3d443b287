//! `meterline decode`, driven from outside.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use meter_core::payload::Hex;
use meter_sim::{Meter, MeterConfig, TrueValue, model};
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

/// Runs `meterline` with this on standard input.
fn meterline(arguments: &[&str], input: &[u8]) -> Result<Output, Box<dyn Error>> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_meterline"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer has panicked")??;
    Ok(output)
}

fn telegrams(name: &str, count: usize) -> Result<Vec<meter_sim::Telegram>, Box<dyn Error>> {
    let config = MeterConfig {
        pv_peak_w: 9000,
        ..MeterConfig::default()
    };
    Ok(Meter::new(model::find(name)?, &config)
        .take(count)
        .collect())
}

fn bytes(telegrams: &[meter_sim::Telegram]) -> Vec<u8> {
    telegrams
        .iter()
        .flat_map(|telegram| telegram.bytes.clone())
        .collect()
}

fn json(output: &Output) -> Result<Vec<Value>, Box<dyn Error>> {
    let text = std::str::from_utf8(&output.stdout)?;
    Ok(text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

/// `1b 1b 1b 1b`
fn spaced(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What every model of meter sends comes out as the simulator meant it.
#[test]
fn every_model_comes_out_as_it_was_meant() -> Outcome {
    for name in model::names() {
        let telegrams = telegrams(name, 5)?;
        let output = meterline(&["decode", "-f", "json", "--strict"], &bytes(&telegrams))?;
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let objects = json(&output)?;
        assert_eq!(objects.len(), telegrams.len(), "{name}");
        let mut offset = 0;
        for (object, telegram) in objects.iter().zip(&telegrams) {
            assert_eq!(object["offset"], offset, "{name}");
            assert_eq!(object["length"], telegram.bytes.len(), "{name}");
            offset += telegram.bytes.len();
            let registers = object["registers"].as_array().ok_or("no registers")?;
            assert_eq!(registers.len(), telegram.registers.len(), "{name}");
            for (found, truth) in registers.iter().zip(&telegram.registers) {
                assert_eq!(found["obis"], truth.obis.to_string(), "{name}");
                match &truth.value {
                    TrueValue::Number { .. } => {
                        let number = found["value"].as_number().ok_or("no number")?;
                        assert_eq!(
                            number.as_str(),
                            truth.value.to_string(),
                            "{name} {}",
                            truth.obis
                        );
                    }
                    TrueValue::Octets(_) => {
                        assert_eq!(
                            found["raw"],
                            truth.value.to_string(),
                            "{name} {}",
                            truth.obis
                        );
                    }
                }
                assert_eq!(
                    found["status"].as_u64(),
                    truth.status,
                    "{name} {}",
                    truth.obis
                );
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_skipped_is_told_with_the_reason() -> Outcome {
    let telegrams = telegrams("emh-mme40", 4)?;
    let whole = bytes(&telegrams);
    let length = telegrams[0].bytes.len();
    let mut damaged = b"noise".to_vec();
    damaged.extend_from_slice(&whole);
    damaged[5 + length + 100] ^= 0x40;
    damaged.truncate(5 + 4 * length - 50);
    let output = meterline(&["decode", "--format", "json"], &damaged)?;
    assert_eq!(json(&output)?.len(), 2);
    let told = text(&output.stderr);
    assert!(
        told.contains("skipped 5 bytes at 0: not part of a telegram"),
        "{told}"
    );
    assert!(
        told.contains(&format!(
            "skipped {length} bytes at {}: a telegram with a wrong CRC",
            5 + length
        )),
        "{told}"
    );
    assert!(told.contains("cut off"), "{told}");
    // In the text the reasons stand between the telegrams.
    let output = meterline(&["decode"], &damaged)?;
    let shown = text(&output.stdout);
    let place = |what: &str| {
        shown
            .find(what)
            .ok_or(format!("{what:?} is missing in {shown}"))
    };
    assert!(place("telegram 1")? < place("wrong CRC")?);
    assert!(place("wrong CRC")? < place("telegram 2")?);
    assert!(output.stderr.is_empty());
    // Scripts may ask for a status.
    assert_eq!(
        meterline(&["decode", "--strict"], &damaged)?.status.code(),
        Some(1)
    );
    Ok(())
}

#[test]
fn salvage_takes_whole_messages_out_of_a_cut_telegram_and_says_so() -> Outcome {
    let telegrams = telegrams("emh-mme40", 2)?;
    let whole = bytes(&telegrams);
    // The last message is cut off, the one with the values is not.
    let cut = &whole[..whole.len() - 20];
    assert_eq!(json(&meterline(&["decode", "-f", "json"], cut)?)?.len(), 1);
    let found = json(&meterline(&["decode", "-f", "json", "--salvage"], cut)?)?;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].get("salvaged"), None);
    assert_eq!(found[1]["salvaged"], true);
    assert_eq!(found[1]["server_id"], found[0]["server_id"]);
    Ok(())
}

#[test]
fn hex_text_and_its_telegrams_are_found() -> Outcome {
    let whole = bytes(&telegrams("holley-dtz541-kermit", 2)?);
    let expected = meterline(&["decode", "-f", "json"], &whole)?.stdout;
    let run = Hex(&whole).to_string().to_uppercase();
    let dump: Vec<String> = whole
        .chunks(32)
        .map(|line| format!(": {}\r\n", spaced(line)))
        .collect();
    for text in [run, dump.concat()] {
        assert_eq!(
            meterline(&["decode", "-f", "json", "-"], text.as_bytes())?.stdout,
            expected
        );
    }
    Ok(())
}

#[test]
fn the_tree_shows_every_message() -> Outcome {
    let output = meterline(
        &["decode", "--format", "tree"],
        &bytes(&telegrams("iskra-mt175", 1)?),
    )?;
    let shown = text(&output.stdout);
    for part in ["OpenRes", "GetListRes", "CloseRes", "1-0:1.8.0*255", "Wh"] {
        assert!(
            shown.replace('.', "").contains(&part.replace('.', "")),
            "{part} is missing in {shown}"
        );
    }
    Ok(())
}

#[test]
fn text_marks_locked_meters_and_has_colours_only_when_asked() -> Outcome {
    let config = MeterConfig {
        pin_entered: false,
        ..MeterConfig::default()
    };
    let locked: Vec<_> = Meter::new(model::find("iskra-mt631")?, &config)
        .take(3)
        .collect();
    let plain = text(&meterline(&["decode"], &bytes(&locked))?.stdout);
    assert!(plain.contains("PIN"), "{plain}");
    assert!(!plain.contains('\x1b'), "{plain}");
    let painted = text(&meterline(&["decode", "--color", "always"], &bytes(&locked))?.stdout);
    assert!(painted.contains('\x1b'));
    Ok(())
}

#[test]
fn input_that_is_something_else_is_named() -> Outcome {
    let d0 =
        b"/ESY5Q3DA1004 V3.04\r\n\r\n1-0:0.0.0*255(112233)\r\n1-0:1.8.0*255(00000.1*kWh)\r\n!\r\n";
    let output = meterline(&["decode", "--format", "json"], d0)?;
    assert!(output.status.success());
    assert!(
        text(&output.stderr).contains("D0"),
        "{}",
        text(&output.stderr)
    );
    let output = meterline(&["decode"], b"")?;
    assert!(text(&output.stdout).contains("empty"));
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_one_clear_line() -> Outcome {
    let output = meterline(&["decode", "/nonexistent/capture.bin"], b"")?;
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("cannot read /nonexistent/capture.bin"),
        "{told}"
    );
    assert!(told.lines().count() <= 2, "{told}");
    Ok(())
}

/// `meterline decode … | head -1` ends without a word, however much is left.
#[test]
fn a_reader_that_goes_away_is_no_error() -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_meterline"))
        .args(["decode", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let input = bytes(&telegrams("easymeter-q3a", 20)?).repeat(200);
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let mut first = [0; 100];
    let mut stdout = child.stdout.take().ok_or("no standard output")?;
    stdout.read_exact(&mut first)?;
    drop(stdout);
    let output = child.wait_with_output()?;
    // The writer sees a closed pipe in its turn.
    let _ = writer.join();
    assert!(output.status.success(), "{:?}", output.status);
    assert!(
        !text(&output.stderr).contains("panic"),
        "{}",
        text(&output.stderr)
    );
    Ok(())
}

/// What people see, letter by letter. `meterline sim iskra-mt175 --count 1 | meterline decode -f …`
/// writes these files anew.
#[test]
fn what_is_shown_is_what_was_agreed() -> Outcome {
    let telegram = Meter::new(model::find("iskra-mt175")?, &MeterConfig::default()).telegram();
    for (format, expected) in [
        ("text", include_str!("expected/iskra-mt175.text")),
        ("tree", include_str!("expected/iskra-mt175.tree")),
    ] {
        let output = meterline(&["decode", "--format", format], &telegram.bytes)?;
        assert_eq!(text(&output.stdout), expected, "{format}");
    }
    Ok(())
}

/// What each output sends with its default settings, letter by letter.
const SENT: [(&str, &str); 9] = [
    (
        "csv",
        "time,meter,obis,name,value,unit,status\r\n\
         2026-11-22T17:53:00.123Z,1 ISK00 3021 1772,1-0:96.50.1*1,Manufacturer,ISK,,\r\n\
         2026-11-22T17:53:00.123Z,1 ISK00 3021 1772,1-0:96.1.0*255,Server id,0a0149534b0001ccfebc,,\r\n\
         2026-11-22T17:53:00.123Z,1 ISK00 3021 1772,1-0:1.8.0*255,Import total (A+),1464386.0,Wh,1835268\r\n\
         2026-11-22T17:53:00.123Z,1 ISK00 3021 1772,1-0:16.7.0*255,Power,497,W,\r\n",
    ),
    (
        "jsonl",
        r#"{"meter_id":"1 ISK00 3021 1772","server_id":"0a0149534b0001ccfebc","time":"2026-11-22T17:53:00.123Z","seconds_index":30211772,"direction":"import","reduced":false,"registers":[{"obis":"1-0:96.50.1*1","value":"ISK","unit":null,"status":null},{"obis":"1-0:96.1.0*255","value":"0a0149534b0001ccfebc","unit":null,"status":null},{"obis":"1-0:1.8.0*255","value":1464386.0,"unit":"Wh","status":1835268},{"obis":"1-0:16.7.0*255","value":497,"unit":"W","status":null}]}
"#,
    ),
    (
        "thingsboard",
        r#"{"ts":1795369980123,"values":{"devid":"1ISK00 30211772","96.50.1*1":"ISK","96.1.0":"0a0149534b0001ccfebc","1.8.0_Wh":1464386.0,"16.7.0_W":497}}
"#,
    ),
    (
        "classic",
        r#"{"devid":"1ISK00 30211772","1.8.0_Wh":"1464386.0","16.7.0_W":"497.0"}
"#,
    ),
    (
        "mqtt",
        r#"meterline/1ISK0030211772 {"meter_id":"1 ISK00 3021 1772","server_id":"0a0149534b0001ccfebc","time":"2026-11-22T17:53:00.123Z","seconds_index":30211772,"direction":"import","reduced":false,"registers":[{"obis":"1-0:96.50.1*1","value":"ISK","unit":null,"status":null},{"obis":"1-0:96.1.0*255","value":"0a0149534b0001ccfebc","unit":null,"status":null},{"obis":"1-0:1.8.0*255","value":1464386.0,"unit":"Wh","status":1835268},{"obis":"1-0:16.7.0*255","value":497,"unit":"W","status":null}]}
"#,
    ),
    (
        "mqtt-registers",
        "meterline/1ISK0030211772/96.50.1*1 ISK\n\
         meterline/1ISK0030211772/96.1.0 0a0149534b0001ccfebc\n\
         meterline/1ISK0030211772/1.8.0 1464386.0\n\
         meterline/1ISK0030211772/16.7.0 497\n",
    ),
    (
        "influx",
        "electricity,meter=1ISK0030211772 1.8.0_Wh=1464386.0,16.7.0_W=497 1795369980123\n",
    ),
    (
        "volkszaehler",
        "1.8.0 [[1795369980123,1464386.0]]\n16.7.0 [[1795369980123,497]]\n",
    ),
    (
        "postgres",
        "2026-11-22T17:53:00.123Z\t1 ISK00 3021 1772\t1-0:96.50.1*1\t\\N\tISK\t\\N\t\\N\n\
         2026-11-22T17:53:00.123Z\t1 ISK00 3021 1772\t1-0:96.1.0*255\t\\N\t0a0149534b0001ccfebc\t\\N\t\\N\n\
         2026-11-22T17:53:00.123Z\t1 ISK00 3021 1772\t1-0:1.8.0*255\t1464386.0\t\\N\tWh\t1835268\n\
         2026-11-22T17:53:00.123Z\t1 ISK00 3021 1772\t1-0:16.7.0*255\t497\t\\N\tW\t\\N\n",
    ),
];

#[test]
fn what_each_output_would_send_is_shown() -> Outcome {
    let meter = Meter::new(model::find("iskra-mt691")?, &MeterConfig::default()).telegram();
    let telegram = meter.bytes;
    let time = "2026-11-22T17:53:00.123Z";
    for (format, expected) in SENT {
        let arguments = ["decode", "--format", format, "--time", time, "--strict"];
        let output = meterline(&arguments, &telegram)?;
        assert!(
            output.status.success(),
            "{format}: {}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stdout), expected, "{format}");
    }
    // Without a time it is that of the decoding.
    let before = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let output = meterline(&["decode", "--format", "influx"], &telegram)?;
    let after = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let line = text(&output.stdout);
    let time: u128 = line.trim_end().rsplit(' ').next().ok_or("time")?.parse()?;
    assert!((before..=after).contains(&time), "{line}");
    let output = meterline(&["decode", "--time", "yesterday"], &telegram)?;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("or a time with its zone"));
    Ok(())
}
