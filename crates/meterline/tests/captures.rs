//! Every telegram of every recorded meter comes out of `decode --format json` with exactly the
//! values that are known for it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use meter_core::payload::Hex;
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

fn decode(path: &Path, more: &[&str]) -> Result<Vec<Value>, Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_meterline"))
        .args(["decode", "--format", "json"])
        .args(more)
        .arg(path)
        .output()?;
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    lines(&String::from_utf8(output.stdout)?)
}

fn lines(text: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    Ok(text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

#[test]
fn every_telegram_has_exactly_the_known_values() -> Outcome {
    let Some(captures) = recordings::captures() else {
        return Ok(());
    };
    let mut files = 0;
    let mut telegrams = 0;
    for path in captures {
        let expected = lines(&fs::read_to_string(path.with_extension("jsonl"))?)?;
        let found = decode(&path, &[])?;
        assert_eq!(
            found.len(),
            expected.len(),
            "telegrams in {}",
            path.display()
        );
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            compare(found, expected)
                .map_err(|error| format!("{}, telegram {index}: {error}", path.display()))?;
        }
        files += 1;
        telegrams += found.len();
    }
    println!("{telegrams} telegrams in {files} files");
    Ok(())
}

/// The same bytes as hex text, in several forms, give the same telegrams.
#[test]
fn hex_text_gives_the_same_telegrams() -> Outcome {
    let Some(captures) = recordings::captures() else {
        return Ok(());
    };
    let scratch = tempfile::tempdir()?;
    for path in captures {
        let bytes = fs::read(&path)?;
        let expected = decode(&path, &["--encoding", "binary"])?;
        for (form, text) in [
            ("run", run(&bytes)),
            ("tasmota", tasmota(&bytes)),
            ("xxd", xxd(&bytes)),
        ] {
            let file = scratch.path().join(form);
            fs::write(&file, text)?;
            assert_eq!(
                decode(&file, &[])?,
                expected,
                "{} as {form}",
                path.display()
            );
        }
    }
    Ok(())
}

fn run(bytes: &[u8]) -> String {
    Hex(bytes).to_string().to_uppercase()
}

/// A line begins at each 77, where Tasmota breaks its dump.
fn tasmota(bytes: &[u8]) -> String {
    let hex = |byte: &u8| match byte {
        0x77 => "\n12:00:01.456 : 77".to_owned(),
        other => format!(" {other:02x}"),
    };
    "12:00:01.123 :".to_owned() + &bytes.iter().map(hex).collect::<Vec<_>>().concat()
}

fn xxd(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(index, line)| {
        let pairs: Vec<_> = line.chunks(2).map(|pair| Hex(pair).to_string()).collect();
        let shown = |byte: &u8| {
            if byte.is_ascii_graphic() {
                char::from(*byte)
            } else {
                '.'
            }
        };
        let shown: String = line.iter().map(shown).collect();
        format!("{:08x}: {}  {shown}\n", index * 16, pairs.join(" "))
    });
    lines.collect::<Vec<_>>().concat()
}

fn compare(found: &Value, expected: &Value) -> Outcome {
    same("offset", &found["offset"], &expected["offset"])?;
    same("length", &found["length"], &expected["len"])?;
    same("crc", &found["crc"], &expected["file_crc"])?;
    same("server_id", &found["server_id"], &expected["server_id"])?;
    let time = &expected["act_sensor_time"];
    let index = if time["tag"] == 1 {
        &time["v"]
    } else {
        &Value::Null
    };
    same("seconds_index", &found["seconds_index"], index)?;
    let registers = found["registers"]
        .as_array()
        .ok_or("registers is no array")?;
    let entries = expected["entries"]
        .as_array()
        .ok_or("entries is no array")?;
    if registers.len() != entries.len() {
        return Err(format!("{} registers instead of {}", registers.len(), entries.len()).into());
    }
    for (register, entry) in registers.iter().zip(entries) {
        compare_register(register, entry).map_err(|error| format!("{}: {error}", entry["obis"]))?;
    }
    Ok(())
}

fn compare_register(register: &Value, entry: &Value) -> Outcome {
    same(
        "obis",
        &register["obis"],
        &obis(entry["obis"].as_str().ok_or("no obis")?)?.into(),
    )?;
    same("scaler", &register["scaler"], &entry["scaler"])?;
    same("status", &register["status"], &entry["status"])?;
    same("raw", &register["raw"], &entry["value"])?;
    let kind = entry["vt"].as_str().ok_or("no type")?;
    same(
        "type",
        &register["type"],
        &if kind == "n" { "none" } else { kind }.into(),
    )?;
    let symbols = BTreeMap::from([
        (30, "Wh"),
        (27, "W"),
        (35, "V"),
        (33, "A"),
        (44, "Hz"),
        (8, "°"),
    ]);
    let unit = match entry["unit"].as_u64() {
        None | Some(0) => Value::Null,
        Some(code) => (*symbols.get(&code).ok_or("unknown unit")?).into(),
    };
    same("unit", &register["unit"], &unit)?;
    let sent = entry.get("value_fixed").unwrap_or(&entry["value"]);
    let corrected = entry.get("value_fixed").is_some();
    if corrected != register.get("quirk").is_some() {
        return Err(format!("quirk {:?}", register.get("quirk")).into());
    }
    match sent {
        Value::Number(number) => {
            let scaler = entry["scaler"].as_i64().unwrap_or(0);
            let value = register["value"]
                .as_number()
                .ok_or("the value is no number")?;
            let (found, expected) = (plain(value.as_str())?, scaled(number.as_str(), scaler)?);
            if found == expected {
                Ok(())
            } else {
                Err(format!("value {value}, not {number}e{scaler}").into())
            }
        }
        Value::String(hex) => {
            let octets = octets(hex)?;
            let text = String::from_utf8(octets)
                .ok()
                .filter(|text| text.bytes().all(|b| (32..127).contains(&b)));
            same(
                "value",
                &register["value"],
                &text.unwrap_or_else(|| hex.clone()).into(),
            )
        }
        other => same("value", &register["value"], other),
    }
}

fn same(what: &str, found: &Value, expected: &Value) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} is {found}, not {expected}").into())
    }
}

fn octets(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits: Vec<char> = hex.chars().collect();
    Ok(digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16))
        .collect::<Result<_, _>>()?)
}

fn obis(hex: &str) -> Result<String, Box<dyn Error>> {
    let code = <[u8; 6]>::try_from(octets(hex)?).map_err(|_| "no OBIS code")?;
    Ok(meter_core::Obis(code).to_string())
}

/// A number as (negative, digits without zeros at either end, power of ten).
type Exact = (bool, String, i64);

fn plain(text: &str) -> Result<Exact, Box<dyn Error>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let places = i64::try_from(fraction.len())?;
    scaled(&format!("{whole}{fraction}"), -places)
}

fn scaled(integer: &str, scaler: i64) -> Result<Exact, Box<dyn Error>> {
    let (negative, digits) = integer
        .strip_prefix('-')
        .map_or((false, integer), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{integer} is written in another way than digits").into());
    }
    let digits = digits.trim_start_matches('0');
    let trimmed = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - trimmed.len())?;
    if trimmed.is_empty() {
        return Ok((false, String::new(), 0));
    }
    Ok((negative, trimmed.to_owned(), scaler + zeros))
}
