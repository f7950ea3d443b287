//! What becomes of readings while servers are away, lie, or refuse.

use std::time::Duration;

use meter_device::board::{ConnectError, Start};

use crate::device::Device;
use crate::server::Character;
use crate::world::{in_a_world, is_each_once};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn readings_arrive_in_time_and_are_true() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 10 * MINUTE);
        assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
        assert_eq!(device.world.connections.get(), 1, "kept open: {log}");
        assert!(device.world.lit.get() >= 600, "lit at each telegram");
        let received = device.world.received.borrow();
        let arrival = |post: &crate::world::Received| post.at.as_secs();
        let apart = received
            .windows(2)
            .map(|pair| arrival(&pair[1]) - arrival(&pair[0]));
        assert!(
            apart.skip(1).all(|gap| (9..=11).contains(&gap)),
            "none waits"
        );
    });
}

/// An outage with all that can be wrong, and what the log has to say about it.
fn outage(character: Character, said: &'static str) {
    in_a_world(async move {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(5 * MINUTE).await;
        *device.world.character.borrow_mut() = character;
        device.run(HOUR).await;
        let during = device.arrived().len();
        *device.world.character.borrow_mut() = Character::Good;
        device.run(15 * MINUTE).await;
        let log = device.switch_off().await;
        assert!(during <= 31, "{during} arrived in the outage");
        is_each_once(&device.arrived(), HOUR + 20 * MINUTE);
        assert!(log.contains(said), "{log}");
    });
}

#[test]
fn a_server_that_refuses_connections_costs_nothing() {
    outage(
        Character::Closed(ConnectError::Refused),
        "nothing listens there",
    );
}

#[test]
fn a_server_whose_certificate_has_expired_gets_nothing() {
    outage(
        Character::Closed(ConnectError::Expired),
        "certificate has expired",
    );
}

#[test]
fn a_server_that_stalls_costs_nothing() {
    outage(Character::Stalls, "the server does not answer");
}

#[test]
fn a_server_that_talks_nonsense_costs_nothing() {
    outage(
        Character::Says(b"220 mail.example.org ESMTP\r\n\r\n"),
        "the server answers nonsense",
    );
}

#[test]
fn a_server_that_cuts_its_answer_costs_nothing() {
    outage(
        Character::Says(b"HTTP/1.1 200"),
        "closed the connection before it answered",
    );
}

#[test]
fn an_overloaded_server_costs_nothing() {
    outage(
        Character::Answers("503 Service Unavailable"),
        "asks to wait (503)",
    );
}

#[test]
fn a_wrong_token_costs_nothing() {
    outage(
        Character::Answers("401 Unauthorized"),
        "check the token (401)",
    );
}

#[test]
fn retry_after_is_honoured() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(MINUTE).await;
        let asked = device.world.start.elapsed();
        let busy = Character::Answers("429 Too Many Requests\r\nRetry-After: 600");
        *device.world.moods.borrow_mut() = [].into();
        *device.world.character.borrow_mut() = busy;
        device.run(MINUTE).await;
        *device.world.character.borrow_mut() = Character::Good;
        device.run(20 * MINUTE).await;
        device.switch_off().await;
        is_each_once(&device.arrived(), 22 * MINUTE);
        let received = device.world.received.borrow();
        let silent = received
            .windows(2)
            .map(|pair| pair[1].at.saturating_sub(pair[0].at))
            .max()
            .unwrap();
        assert!(
            silent >= 10 * MINUTE,
            "asked at {asked:?} to wait for 10 minutes, waited {silent:?}"
        );
    });
}

#[test]
fn an_answer_that_is_lost_costs_a_repetition_and_no_reading() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(MINUTE).await;
        *device.world.character.borrow_mut() = Character::Cuts;
        device.run(12 * Duration::from_secs(1)).await;
        *device.world.character.borrow_mut() = Character::Good;
        device.run(3 * MINUTE).await;
        device.switch_off().await;
        is_each_once(&device.arrived(), 4 * MINUTE);
        let all = device.taken(false).len();
        let repeated = all - device.arrived().len();
        assert!((1..=4).contains(&repeated), "{repeated} came twice");
    });
}

#[test]
fn a_server_that_closes_idle_connections_is_no_fault() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.character.borrow_mut() = Character::Forgets;
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 10 * MINUTE);
        assert!(!log.contains("WARN"), "{log}");
    });
}

#[test]
fn one_refused_reading_does_not_stop_the_others() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(MINUTE).await;
        *device.world.character.borrow_mut() = Character::Closed(ConnectError::Refused);
        device.run(10 * MINUTE).await;
        // The reading of one moment of the outage, by its time stamp.
        let second = 5 * 60;
        let begin = crate::world::BEGIN.0 / 10_000;
        let stamp = format!("\"ts\":{}", begin + second / 10);
        *device.world.character.borrow_mut() = Character::RefusesWith(stamp);
        device.run(10 * MINUTE).await;
        let log = device.switch_off().await;
        let arrived = device.arrived();
        let refused = arrived
            .windows(2)
            .filter(|pair| pair[1] - pair[0] > 11)
            .count();
        assert_eq!(refused, 1, "{arrived:?}");
        assert_eq!(
            log.matches("the server refuses the reading").count(),
            1,
            "{log}"
        );
        assert!((124..=126).contains(&arrived.len()), "{arrived:?}");

        device.switch_on(Start::Power, None);
        let kept = device.ask("log").await;
        let entries = kept["log"].as_array().unwrap();
        let kept = entries
            .iter()
            .find(|entry| entry["kind"] == "REFUSED")
            .unwrap();
        assert_eq!(kept["status"], 400);
        let hex = kept["reading"].as_str().unwrap();
        assert!(hex.starts_with("77"), "the meter's own bytes: {hex}");
    });
}

/// A wrong format, or something in between that takes no POST: no reading is to blame.
#[test]
fn a_server_that_refuses_everything_gets_the_backlog_later() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(MINUTE).await;
        *device.world.character.borrow_mut() = Character::Answers("400 Bad Request");
        device.run(HOUR).await;
        let info = device.ask("info").await["info"]["delivery"].clone();
        *device.world.character.borrow_mut() = Character::Good;
        device.run(15 * MINUTE).await;
        let log = device.switch_off().await;
        let refused = info["refused"].as_u64().unwrap();
        assert!((1..=3).contains(&refused), "{info}");
        let arrived = device.arrived().len() as u64;
        assert!(
            (453..=456).contains(&(arrived + refused)),
            "{arrived} {refused}"
        );
        assert!(
            log.contains("check `url`") || log.contains("check the settings"),
            "{log}"
        );
    });
}

/// The bound that the outbox states: fewer than 16 readings, none older than a minute.
#[test]
fn a_power_cut_in_an_outage_costs_no_more_than_stated() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(2 * MINUTE).await;
        *device.world.character.borrow_mut() = Character::Closed(ConnectError::Unreachable);
        let mut cuts = Vec::new();
        for minutes in [7, 13, 31] {
            device.run(minutes * MINUTE + Duration::from_secs(7)).await;
            cuts.push(device.world.start.elapsed().as_secs());
            device.switch_off().await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            device.switch_on(Start::Power, None);
        }
        *device.world.character.borrow_mut() = Character::Good;
        device.run(20 * MINUTE).await;
        device.switch_off().await;
        let arrived = device.arrived();
        for cut in cuts {
            let last = arrived
                .iter()
                .filter(|second| **second <= cut)
                .max()
                .unwrap();
            assert!(
                cut - last <= 75,
                "the last before the cut at {cut} is of {last}"
            );
        }
        let holes: u64 = arrived
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).saturating_sub(11))
            .sum();
        assert!(
            holes <= 3 * (60 + 20 + 15),
            "{holes} s are missing: {arrived:?}"
        );
        let mut sorted = arrived.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, arrived, "in order, and none twice");
    });
}

#[test]
fn a_full_flash_is_thinned_to_quarter_hours() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(MINUTE).await;
        *device.world.character.borrow_mut() = Character::Closed(ConnectError::Unreachable);
        let outage = 10 * HOUR;
        device.run(outage).await;
        let status = device.ask("info").await["info"]["outbox"].clone();
        *device.world.character.borrow_mut() = Character::Good;
        device.run(15 * MINUTE).await;
        device.switch_off().await;
        let arrived = device.arrived();
        let longest = arrived
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap();
        assert!(
            longest <= 15 * 60 + 10,
            "one of each quarter-hour stays: {longest} s"
        );
        let thinned = status["thinned"].as_u64().unwrap();
        assert_eq!(status["dropped"], 0, "{status}");
        let wanted = (outage + 16 * MINUTE).as_secs() / 10;
        let accounted = arrived.len() as u64 + thinned;
        assert!(
            wanted.abs_diff(accounted) <= 2,
            "{} arrived and {thinned} were thinned, of {wanted}",
            arrived.len()
        );
    });
}
