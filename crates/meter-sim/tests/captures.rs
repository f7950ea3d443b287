//! The telegrams of the models are built like the recorded ones of the real meters.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;

use meter_sim::{Meter, MeterConfig, model};
use sml_wire::body::OpenRes;
use sml_wire::{Body, Decoder, Event, Frame, GetListRes, Integer, ListEntry, Time, Value};

/// A recording and how to simulate the same.
struct Case {
    recording: &'static str,
    model: &'static str,
    pin_entered: bool,
    import_wh: u64,
    export_wh: u64,
    /// Whether it leaves out leading zeros, so that the width of an integer follows its value.
    trims: bool,
    /// The length that is known of the meter's telegrams.
    length: usize,
}

const fn case(recording: &'static str, model: &'static str, length: usize) -> Case {
    Case {
        recording,
        model,
        pin_entered: true,
        import_wh: 0,
        export_wh: 0,
        trims: false,
        length,
    }
}

const CASES: &[Case] = &[
    case("EasyMeter_Q3A_A1064V1009", "easymeter-q3a", 504),
    case("EMH-ED300L_consumption", "emh-ed300l-old", 316),
    case("EMH_eHZ-HW8E2A5L0EK2P", "emh-ed300l-old", 316),
    case("EMH_mME40-AE6AKF0K0", "emh-mme40", 328),
    case("ISKRA_MT175_D1A52-V22-K0t", "iskra-mt175", 460),
    case("ITRON_OpenWay-3.HZ", "itron-openway-3hz", 244),
    case("HOLLEY_DTZ541-BDBA_with_PIN", "holley-dtz541", 232),
    Case {
        pin_entered: false,
        ..case("HOLLEY_DTZ541-BDBA_without_PIN", "holley-dtz541", 212)
    },
    Case {
        pin_entered: false,
        ..case("ITRON_OpenWay-3.HZ_without_PIN", "itron-openway-3hz", 224)
    },
    Case {
        pin_entered: false,
        ..case("eBZ_DD3_DD3BZ06DTA-SMZ1_without_PIN", "ebz-dd3", 232)
    },
    Case {
        trims: true,
        import_wh: 2_043_104,
        ..case("ISKRA_MT631-D1A52-K0z-H01_with_PIN", "iskra-mt631", 232)
    },
    Case {
        pin_entered: false,
        trims: true,
        import_wh: 2_043_104,
        ..case("ISKRA_MT631-D1A52-K0z-H01_without_PIN", "iskra-mt631", 212)
    },
    Case {
        trims: true,
        import_wh: 5_430_157,
        export_wh: 26_244_572,
        ..case("DZG_DVS-7412.2_jmberg", "dzg-dvs74", 256)
    },
    Case {
        trims: true,
        import_wh: 2_353_656,
        ..case("DZG_DVS-7420.2V.G2_mtr1", "dzg-dvs7420", 300)
    },
];

#[test]
fn models_are_built_like_the_recordings() {
    let Some(captures) = recordings::captures() else {
        return;
    };
    for case in CASES {
        let named = |path: &&PathBuf| path.file_stem().is_some_and(|name| name == case.recording);
        let file = captures.iter().find(named).expect(case.recording);
        let recorded = std::fs::read(file).expect(case.recording);
        let model = model::find(case.model).expect("known");
        let config = MeterConfig {
            pin_entered: case.pin_entered,
            import_wh: Some(case.import_wh),
            export_wh: Some(case.export_wh),
            ..MeterConfig::default()
        };
        let simulated = Meter::new(model, &config).telegram().bytes;
        assert_eq!(simulated.len(), case.length, "{}", case.model);
        let recorded = first_frame(&recorded, |frame| structure(&frame, case.trims));
        let simulated = first_frame(&simulated, |frame| structure(&frame, case.trims));
        assert_eq!(
            simulated, recorded,
            "{} against {}",
            case.model, case.recording
        );
    }
}

fn first_frame<R>(mut bytes: &[u8], view: impl Fn(Frame<'_>) -> R) -> R {
    let mut decoder = Decoder::new([0; 2048]);
    while let Some(event) = decoder.next(&mut bytes) {
        if let Event::Frame(frame) = event {
            return view(frame);
        }
    }
    panic!("no frame");
}

/// Everything about a telegram but its numbers and ids, one line for each field.
fn structure(frame: &Frame<'_>, trims: bool) -> Vec<String> {
    let mut lines = vec![format!("crc {}", frame.crc)];
    for message in frame.file().messages() {
        let message = message.expect("well-formed");
        assert!(message.intact());
        lines.push(format!(
            "message {:04x} of tag width {}, transaction id of {}, group {}, abort {}",
            message.body.tag(),
            message.tag_width,
            message.transaction_id.len(),
            integer(message.group),
            integer(message.abort_on_error),
        ));
        match message.body {
            Body::OpenRes(open) => lines.push(open_structure(&open)),
            Body::GetListRes(list) => list_structure(&list, trims, &mut lines),
            Body::CloseRes(close) => lines.push(format!("signature {:?}", close.signature)),
            other => panic!("{other:?}"),
        }
    }
    lines
}

fn open_structure(open: &OpenRes<'_>) -> String {
    format!(
        "codepage {:?}, client {:x?}, file id of {}, server id of {}, time {}, version {:?}",
        open.codepage,
        open.client_id,
        open.file_id.len(),
        open.server_id.len(),
        time(open.reference_time),
        open.sml_version,
    )
}

fn list_structure(list: &GetListRes<'_>, trims: bool, lines: &mut Vec<String>) {
    lines.push(format!(
        "client {:x?}, server id of {}, list {:x?}, time {}, {} entries, {:?}, {:?}",
        list.client_id,
        list.server_id.len(),
        list.list_name,
        time(list.sensor_time),
        list.entries.len(),
        list.signature,
        list.gateway_time,
    ));
    lines.extend(
        list.entries
            .iter()
            .map(|entry| entry_structure(&entry, trims)),
    );
}

fn entry_structure(entry: &ListEntry<'_>, trims: bool) -> String {
    let value = match entry.value {
        Value::Octets(octets) => format!("{} octets", octets.len()),
        Value::Integer(number) if trims => {
            assert_eq!(
                number.width(),
                shortest(number).width(),
                "{:?}",
                entry.obis()
            );
            format!("{} trimmed", sign(number))
        }
        Value::Integer(number) => integer(number),
        other => format!("{other:?}"),
    };
    format!(
        "{:?} status {:?}, time {}, unit {:?}, scaler {:?}, value {value}, {:?}",
        entry.obis(),
        entry.status.map(integer),
        time(entry.time),
        entry.unit,
        entry.scaler,
        entry.signature,
    )
}

fn shortest(number: Integer) -> Integer {
    let unsigned = number.as_u64().map(Integer::unsigned);
    let signed = number.as_i64().map(Integer::signed);
    (if number.is_signed() { signed } else { unsigned }).unwrap_or(number)
}

fn sign(number: Integer) -> &'static str {
    if number.is_signed() {
        "signed"
    } else {
        "unsigned"
    }
}

fn integer(number: Integer) -> String {
    format!("{} of {}", sign(number), number.width())
}

fn time(time: Option<Time>) -> String {
    match time {
        None => "none".to_owned(),
        Some(Time::SecondsIndex(seconds)) if seconds.as_u64() == Some(0) => "zero".to_owned(),
        Some(Time::SecondsIndex(seconds)) => format!("index, {}", integer(seconds)),
        Some(other) => format!("{other:?}"),
    }
}
