//! To a real mosquitto over TLS: what arrives is what the meter counted.

use std::time::{Duration, Instant};

use meter_core::payload::homeassistant::{BIRTH_TOPIC, Statistic};
use meter_device::board::Time;
use meter_device::format::Format;
use meter_device::mqtt::{OpenError, Room, Session, Target, Woken};
use meter_device::verdict::{Fault, Verdict};
use meter_sim::model;

use crate::Clock;
use crate::broker::{connect, start};
use crate::meters::take;
use crate::mqtt_liars::{DISCOVERY, TARGET};

#[tokio::test]
async fn every_model_to_the_last_digit() {
    let Some(broker) = start("").await else {
        return;
    };
    let mut observer = broker.observe().await.unwrap();
    let clock = Clock::new();
    let mut room = Room;
    let connection = connect(&broker).await;
    let mut session = Session::open(&mut room, connection, &clock, &TARGET)
        .await
        .unwrap();
    let online = observer.next().await.unwrap();
    assert_eq!(
        (online.topic.as_str(), online.payload.as_str()),
        ("meterline/meterline/availability", "online")
    );

    let mut buffer = [0; 8192];
    for name in model::names() {
        for taken in take(name, 5) {
            let stamped = [taken.stamped()];
            assert_eq!(TARGET.fitting(&stamped, buffer.len()), 1);
            assert_eq!(
                session.publish(&stamped, &mut buffer).await,
                Ok(Verdict::Delivered)
            );
            let message = observer.next().await.unwrap();
            let id = stamped[0].reading.meter_id();
            assert_eq!(message.topic, format!("meterline/{}", id.compact()));
            let body = message.json();
            assert_eq!(body["time"], taken.time.to_string());
            for register in body["registers"].as_array().unwrap() {
                let obis = register["obis"].as_str().unwrap().parse().unwrap();
                if let Some(truth) = taken.telegram.number_text(obis) {
                    assert_eq!(register["value"].to_string(), truth, "{obis}");
                }
            }
        }
    }
    session.close().await.unwrap();
    assert_eq!(observer.next().await.unwrap().payload, "offline");
}

#[tokio::test]
async fn discovery_state_birth_and_last_will() {
    let Some(broker) = start("").await else {
        return;
    };
    let mut observer = broker.observe().await.unwrap();
    let clock = Clock::new();
    let target = Target {
        discovery: Some(DISCOVERY),
        ..TARGET
    };
    let mut room = Room;
    let connection = connect(&broker).await;
    let mut session = Session::open(&mut room, connection, &clock, &target)
        .await
        .unwrap();
    assert_eq!(observer.next().await.unwrap().payload, "online");

    let readings = take("emh-mme40", 3);
    let statistics = [Statistic {
        key: "crc_errors",
        name: "CRC errors",
        value: 7,
        unit: None,
        class: None,
        counts: true,
    }];
    let mut buffer = [0; 8192];
    let id = readings[0]
        .stamped()
        .reading
        .meter_id()
        .compact()
        .to_string();
    let config_topic = format!("homeassistant/device/meterline_{id}/config");
    for (index, taken) in readings.iter().enumerate() {
        let shown = session
            .show(&taken.stamped(), &statistics, &mut buffer)
            .await;
        assert_eq!(shown, Ok(Verdict::Delivered));
        if index == 0 {
            let config = observer.next().await.unwrap();
            assert_eq!(config.topic, config_topic);
            let config = config.json();
            assert_eq!(config["stat_t"], format!("meterline/{id}/state"));
            assert_eq!(config["avty_t"], "meterline/meterline/availability");
            assert_eq!(
                config["cmps"]["crc_errors"]["unique_id"],
                format!("meterline_{id}_crc_errors")
            );
        }
        let state = observer.next().await.unwrap();
        assert_eq!(state.topic, format!("meterline/{id}/state"));
        let state = state.json();
        let power = taken
            .telegram
            .number_text("1-0:16.7.0*255".parse().unwrap())
            .unwrap();
        assert_eq!(state["16.7.0"].to_string(), power);
        assert_eq!(state["crc_errors"], 7);
    }

    broker.publish(BIRTH_TOPIC, "offline", false).await.unwrap();
    broker.publish(BIRTH_TOPIC, "online", false).await.unwrap();
    let woken = session.idle(clock.now() + Duration::from_secs(30), 0).await;
    assert_eq!(woken, Ok(Woken::Birth));
    let shown = session
        .show(&readings[2].stamped(), &statistics, &mut buffer)
        .await;
    assert_eq!(shown, Ok(Verdict::Delivered));
    let heard = [
        observer.next().await.unwrap(),
        observer.next().await.unwrap(),
        observer.next().await.unwrap(),
        observer.next().await.unwrap(),
    ];
    assert_eq!(heard[0].payload, "offline");
    assert_eq!(heard[1].payload, "online");
    assert_eq!(heard[2].topic, config_topic);
    assert_eq!(heard[3].topic, format!("meterline/{id}/state"));

    // The cable is pulled out: the server says it for the device.
    drop(session);
    let will = observer.next().await.unwrap();
    assert_eq!(
        (will.topic.as_str(), will.payload.as_str()),
        ("meterline/meterline/availability", "offline")
    );
}

#[tokio::test]
async fn what_is_retained_waits_for_whoever_comes() {
    let Some(broker) = start("").await else {
        return;
    };
    let clock = Clock::new();
    let target = Target {
        discovery: Some(DISCOVERY),
        ..TARGET
    };
    let readings = take("dzg-dvs74", 1);
    let mut buffer = [0; 8192];
    let mut room = Room;
    let connection = connect(&broker).await;
    let mut session = Session::open(&mut room, connection, &clock, &target)
        .await
        .unwrap();
    session
        .publish(&[readings[0].stamped()], &mut buffer)
        .await
        .unwrap();
    session
        .show(&readings[0].stamped(), &[], &mut buffer)
        .await
        .unwrap();
    let mut topics: Vec<_> = broker
        .retained()
        .await
        .unwrap()
        .into_iter()
        .map(|message| message.topic)
        .collect();
    topics.sort();
    let id = readings[0]
        .stamped()
        .reading
        .meter_id()
        .compact()
        .to_string();
    assert_eq!(
        topics,
        [
            format!("homeassistant/device/meterline_{id}/config"),
            format!("meterline/{id}"),
            format!("meterline/{id}/state"),
            "meterline/meterline/availability".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_broker_that_says_no() {
    let Some(broker) = start("max_packet_size 1500").await else {
        return;
    };
    let clock = Clock::new();
    let readings = take("emh-mme40", 20);
    let stamped: Vec<_> = readings.iter().map(|taken| taken.stamped()).collect();
    let mut buffer = [0; 8192];

    for (user, password) in [("device", "wrong"), ("nobody", "hunter2")] {
        let target = Target {
            user: Some(user),
            password: Some(password),
            ..TARGET
        };
        let mut room = Room;
        let connection = connect(&broker).await;
        let refused = Session::open(&mut room, connection, &clock, &target)
            .await
            .err();
        assert_eq!(
            refused,
            Some(OpenError::Refused(Verdict::Check { status: 0x87 }))
        );
    }

    // Where it may not write; mosquitto tells that to clients of MQTT 5 only.
    let target = Target {
        topic: "elsewhere/{meter}",
        format: Format::Thingsboard,
        ..TARGET
    };
    let mut room = Room;
    let connection = connect(&broker).await;
    let mut session = Session::open(&mut room, connection, &clock, &target)
        .await
        .unwrap();
    let verdict = session.publish(&stamped[..1], &mut buffer).await;
    assert_eq!(verdict, Ok(Verdict::Check { status: 0x87 }));
    // More than it takes at once, and then what it takes.
    let verdict = session.publish(&stamped, &mut buffer).await;
    assert_eq!(verdict, Ok(Verdict::Refused { status: 0x95 }));
    let verdict = session.publish(&stamped[..1], &mut buffer).await;
    assert_eq!(verdict, Ok(Verdict::Check { status: 0x87 }));
}

#[tokio::test]
async fn two_devices_with_one_name_and_a_broker_that_goes_away() {
    let Some(broker) = start("").await else {
        return;
    };
    let clock = Clock::new();
    let readings = take("emh-mme40", 1);
    let stamped = [readings[0].stamped()];
    let mut buffer = [0; 8192];
    let (mut first_room, mut second_room) = (Room, Room);
    let connection = connect(&broker).await;
    let mut first = Session::open(&mut first_room, connection, &clock, &TARGET)
        .await
        .unwrap();
    let connection = connect(&broker).await;
    let mut second = Session::open(&mut second_room, connection, &clock, &TARGET)
        .await
        .unwrap();
    // The first is told why, or finds the connection closed.
    let thrown = first.publish(&stamped, &mut buffer).await;
    assert!(
        matches!(
            thrown,
            Ok(Verdict::Check { status: 0x8e }) | Err(Fault::Closed)
        ),
        "{thrown:?}"
    );
    assert_eq!(
        second.publish(&stamped, &mut buffer).await,
        Ok(Verdict::Delivered)
    );

    drop(broker);
    let gone = second.publish(&stamped, &mut buffer).await;
    assert!(
        matches!(gone, Ok(Verdict::Later { .. }) | Err(Fault::Closed)),
        "{gone:?}"
    );
    assert_eq!(
        second.publish(&stamped, &mut buffer).await,
        Err(Fault::Closed)
    );
}

/// What waiting for each acknowledgement costs; printed, not judged.
#[tokio::test]
async fn a_backlog_one_by_one() {
    let Some(broker) = start("").await else {
        return;
    };
    let clock = Clock::new();
    let readings = take("emh-mme40", 500);
    let mut buffer = [0; 8192];
    let mut room = Room;
    let connection = connect(&broker).await;
    let mut session = Session::open(&mut room, connection, &clock, &TARGET)
        .await
        .unwrap();
    let begin = Instant::now();
    for taken in &readings {
        let verdict = session.publish(&[taken.stamped()], &mut buffer).await;
        assert_eq!(verdict, Ok(Verdict::Delivered));
    }
    println!("{:?} for each reading", begin.elapsed() / 500);
}
