//! Each simulated meter on the read head of the emulated device, at the speed of its line.

use emulator::{Board, Result};
use meter_sim::{Faults, Line, Meter, MeterConfig, Telegram, TrueValue, model};

/// Waits for the next reading, and holds it against what the meter measured.
fn must_say(board: &mut Board, telegram: &Telegram) -> Result {
    let said = board.until("\"registers\"")?;
    let numbers = telegram
        .registers
        .iter()
        .filter(|register| matches!(register.value, TrueValue::Number { .. }));
    let parts: Vec<_> = numbers
        .map(|register| {
            format!(
                "{{\"obis\":\"{}\",\"value\":{},",
                register.obis, register.value
            )
        })
        .collect();
    assert!(!parts.is_empty(), "the model measures nothing");
    let mut rest = said.as_str();
    for part in parts {
        let at = rest
            .find(&part)
            .ok_or_else(|| format!("{part} is missing, or not in its place, in {said}"))?;
        rest = &rest[at + part.len()..];
    }
    Ok(())
}

fn reads(name: &str) -> Result {
    let Some(mut board) = Board::trial()? else {
        return Ok(());
    };
    let config = MeterConfig {
        pv_peak_w: 9_900,
        ..MeterConfig::default()
    };
    for telegram in Meter::new(model::find(name)?, &config).take(3) {
        board.send(&telegram.bytes)?;
        must_say(&mut board, &telegram)?;
    }
    board.enter("info")?;
    let info = board.until("bytes lost")?;
    assert!(info.contains(" 0 bytes lost"), "{info}");
    let (status, said) = board.stop()?;
    assert!(status.success(), "{said:#?}");
    assert!(
        !said.iter().any(|line| line.contains("skipped")),
        "{said:#?}"
    );
    Ok(())
}

/// Of what arrives damaged nothing is said but that it was; what arrives whole is read.
#[test]
fn a_bad_line_brings_fewer_readings_and_no_wrong_one() -> Result {
    let Some(mut board) = Board::trial()? else {
        return Ok(());
    };
    let meter = Meter::new(model::find("iskra-mt691")?, &MeterConfig::default());
    let mut line = Line::new(Faults::POOR, 7);
    let mut whole = 0;
    for telegram in meter.take(40) {
        let passed = line.pass(&telegram.bytes);
        board.send(&passed.bytes)?;
        if passed.intact {
            must_say(&mut board, &telegram)?;
            whole += 1;
        }
    }
    assert!((20..36).contains(&whole), "{whole} of 40 arrived whole");
    let (_, said) = board.stop()?;
    let readings = said.iter().filter(|line| line.contains("\"registers\""));
    assert_eq!(readings.count(), whole, "{said:#?}");
    assert!(
        said.iter().any(|line| line.contains("skipped")),
        "{said:#?}"
    );
    Ok(())
}

macro_rules! models {
    ($($test:ident $name:literal)*) => {
        $(
            #[test]
            fn $test() -> Result {
                reads($name)
            }
        )*

        #[test]
        fn no_model_is_left_out() {
            let tested = [$($name),*];
            let left_out: Vec<_> = model::names().filter(|name| !tested.contains(name)).collect();
            assert_eq!(left_out, Vec::<&str>::new());
        }
    };
}

models! {
    dzg_dvs74 "dzg-dvs74"
    dzg_dvs7420 "dzg-dvs7420"
    easymeter_q3a "easymeter-q3a"
    easymeter_q3m "easymeter-q3m"
    ebz_dd3 "ebz-dd3"
    efr_sgm "efr-sgm"
    emh_ed300l_new "emh-ed300l-new"
    emh_ed300l_old "emh-ed300l-old"
    emh_mme40 "emh-mme40"
    holley_dtz541 "holley-dtz541"
    holley_dtz541_kermit "holley-dtz541-kermit"
    iskra_mt175 "iskra-mt175"
    iskra_mt631 "iskra-mt631"
    iskra_mt691 "iskra-mt691"
    itron_openway_3hz "itron-openway-3hz"
    landis_gyr_e320 "landis-gyr-e320"
}
