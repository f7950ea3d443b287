use std::path::Path;
use std::time;

use meter_core::ServerId;
use meter_gateway::config::{Duration, Interval};
use meter_gateway::input::{Config, Finding, serial};
use meter_gateway::ports::{Heard, Roots, list, probe};

use super::head::{Speaking, link, plug_in};
use super::meter;
use super::running::start;

fn input(ports: &Path, wanted: Option<&str>) -> Config {
    Config::Serial(serial::Config {
        meter: wanted.map(|wanted| wanted.parse().unwrap()),
        also: vec![ports.to_owned()],
        interval: Interval::Every,
        silence: Duration::from_secs(2),
        ..serial::Config::default()
    })
}

fn speaking(serial: u32) -> (Speaking, String) {
    let mut meter = meter(serial);
    let id = ServerId(meter.server_id()).meter_id().to_string();
    (plug_in().speak(move || meter.next().unwrap().bytes), id)
}

#[tokio::test]
async fn the_meter_is_found_among_three_ports_and_again_on_another() {
    let ports = tempfile::tempdir().unwrap();
    let dark = plug_in();
    let (one, _) = speaking(1);
    let (two, wanted) = speaking(2);
    link(&dark.path, &ports.path().join("a"));
    link(&one.path, &ports.path().join("b"));
    link(&two.path, &ports.path().join("c"));
    let mut running = start("found", input(ports.path(), Some(&wanted)));
    for _ in 0..20 {
        let reading = running.next().await;
        assert_eq!(ServerId(&reading.server_id).meter_id().to_string(), wanted);
    }
    let source = running.status().source.unwrap();
    assert!(source.contains(&two.path.display().to_string()), "{source}");

    drop(two);
    running.trouble("unplugged").await;
    while running.at_hand().is_some() {}
    let (again, same) = speaking(2);
    assert_eq!(same, wanted);
    link(&again.path, &ports.path().join("z"));
    std::fs::remove_file(ports.path().join("c")).unwrap();
    let reading = running.next().await;
    assert_eq!(ServerId(&reading.server_id).meter_id().to_string(), wanted);
    assert_eq!(running.warnings().len(), 1, "{:?}", running.warnings());
    running.stop().await;
}

#[tokio::test]
async fn the_only_meter_needs_no_name() {
    let ports = tempfile::tempdir().unwrap();
    let (head, id) = speaking(1);
    link(&head.path, &ports.path().join("a"));
    let mut running = start("only", input(ports.path(), None));
    let reading = running.next().await;
    assert_eq!(ServerId(&reading.server_id).meter_id().to_string(), id);
    running.stop().await;
}

#[tokio::test]
async fn two_meters_need_one() {
    let ports = tempfile::tempdir().unwrap();
    let (one, first) = speaking(1);
    let (two, second) = speaking(2);
    link(&one.path, &ports.path().join("a"));
    link(&two.path, &ports.path().join("b"));
    let mut running = start("ambiguous", input(ports.path(), None));
    let trouble = running.trouble("ambiguous").await;
    assert_eq!(
        trouble.text,
        format!("several meters speak ({first}, {second}): say which one with meter = \"...\"")
    );
    running.stop().await;
}

#[tokio::test]
async fn a_meter_that_is_nowhere_lists_what_was_heard() {
    let ports = tempfile::tempdir().unwrap();
    let dark = plug_in();
    let (one, id) = speaking(1);
    let (a, b) = (ports.path().join("a"), ports.path().join("b"));
    link(&dark.path, &a);
    link(&one.path, &b);
    let mut running = start("nowhere", input(ports.path(), Some("1 EMH00 1059 9732")));
    let trouble = running.trouble("no-meter").await;
    assert_eq!(
        trouble.text,
        format!(
            "meter 1 EMH00 1059 9732 speaks on no port: {}: nothing; {}: meter {id} at 9600 8N1",
            a.display(),
            b.display()
        )
    );
    running.stop().await;
}

#[tokio::test]
async fn ports_tell_what_speaks_on_them() {
    let ports = tempfile::tempdir().unwrap();
    let dark = plug_in();
    let text = plug_in().speak(|| b"1-0:1.8.0*255(00000999.0000000*kWh)\r\n".to_vec());
    let (sml, id) = speaking(1);
    link(&dark.path, &ports.path().join("a"));
    link(&text.path, &ports.path().join("b"));
    link(&sml.path, &ports.path().join("c"));
    let roots = Roots {
        dev: ports.path().join("none"),
        also: vec![ports.path().to_owned()],
        ..Roots::default()
    };
    let mut reports = Vec::new();
    for port in list(&roots) {
        reports.push(probe(&port, time::Duration::from_millis(400)).await);
    }
    reports.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(
        matches!(reports[0].heard, Heard::Other(Finding::Dark)),
        "{}",
        reports[0]
    );
    assert!(
        matches!(reports[1].heard, Heard::Other(Finding::D0 { .. })),
        "{}",
        reports[1]
    );
    let line = format!(
        "{}: meter {id} at 9600 8N1",
        ports.path().join("c").display()
    );
    assert_eq!(reports[2].to_string(), line);
}
