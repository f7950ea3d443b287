//! Readings by REST: settings over the serial line, a lease, the time, a name, HTTPS.

use emulator::Result;
use meter_sim::{Meter, MeterConfig, model};

use crate::readings::{must_be_each_once, send};
use crate::world::World;

fn delivers(name: &str) -> Result {
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
    let meter = Meter::new(model::find(name)?, &config);
    let sent = send(&mut board, meter.take(4))?;
    must_be_each_once(&world.arrive(sent.len()), &sent);
    assert_eq!(world.backend.connection_count(), 1, "it is kept open");
    let info = world.info(&board)?;
    assert_eq!(info["overrun"], 0, "{info}");
    assert_eq!(info["delivery"]["error"], serde_json::Value::Null, "{info}");
    Ok(())
}

macro_rules! models {
    ($($test:ident $name:literal)*) => {
        $(
            #[test]
            fn $test() -> Result {
                delivers($name)
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
