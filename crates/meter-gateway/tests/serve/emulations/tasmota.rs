//! Tasmota's answer to `status 10`.

use meter_core::UnixMillis;

use super::{ALL, Read, members};
use crate::bench::Result;
use crate::client::get;

#[tokio::test]
async fn tasmota_is_answered_with_its_own_names() -> Result {
    let read = Read::new(ALL).await?;
    let time = UnixMillis(read.time()).to_string();
    let values = members([
        ("Total_in", read.kilo((1, 8, 0))),
        ("Total_out", read.kilo((2, 8, 0))),
        ("Power_curr", read.whole((16, 7, 0))),
        ("power_l1", read.whole((36, 7, 0))),
        ("power_l2", read.whole((56, 7, 0))),
        ("power_l3", read.whole((76, 7, 0))),
        ("voltage_l1", read.number((32, 7, 0))),
        ("voltage_l2", read.number((52, 7, 0))),
        ("voltage_l3", read.number((72, 7, 0))),
        ("current_l1", read.number((31, 7, 0))),
        ("current_l2", read.number((51, 7, 0))),
        ("current_l3", read.number((71, 7, 0))),
    ]);
    let wanted = format!(
        "{{\"StatusSNS\":{{\"Time\":\"{}\",\"SML\":{{{values}}}}}}}",
        &time[..19]
    );
    for asked in [
        "/cm?cmnd=status%2010",
        "/cm?cmnd=Status+8",
        "/cm?user=admin&password=x&cmnd=STATUS%2010",
    ] {
        let answer = get(read.address, asked).await?;
        assert_eq!(
            (answer.kind.as_str(), &answer.body),
            ("application/json", &wanted)
        );
    }
    let other = get(read.address, "/cm?cmnd=Power%20on").await?;
    assert_eq!(other.body, "{\"Command\":\"Unknown\"}");

    let old = &read.later(ALL, &["/cm?cmnd=status%2010"]).await?[0];
    assert_eq!(old.status, 503);
    assert!(old.body.contains("too old"), "{old:?}");
    Ok(())
}
