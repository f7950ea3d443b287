//! What MQTT servers say, and what they should not.

use std::time::Duration;

use meter_core::payload::homeassistant::{BIRTH_TOPIC, Origin};
use meter_device::board::Time;
use meter_device::format::Format;
use meter_device::mqtt::{Discovery, OpenError, Room, Session, Target, Woken};
use meter_device::verdict::{Fault, Verdict};
use proptest::prelude::*;

use crate::Clock;
use crate::meters::take;
use crate::script::{End, Script};

const CONNACK: &[u8] = &[0x20, 3, 0, 0, 0];
const PUBACK: &[u8] = &[0x40, 2, 0, 1];
const SUBACK: &[u8] = &[0x90, 4, 0, 1, 0, 1];
const PINGRESP: &[u8] = &[0xd0, 0];

pub(crate) const TARGET: Target<'static> = Target {
    client_id: "meterline",
    user: Some("device"),
    password: Some("hunter2"),
    topic: "meterline/{meter}",
    format: Format::Json,
    discovery: None,
};

pub(crate) const DISCOVERY: Discovery<'static> = Discovery {
    origin: Origin {
        name: "meterline",
        version: "0.1.0",
        url: "https://example.org",
    },
    expire_after: 60,
};

fn said(packets: &[&[u8]]) -> Vec<u8> {
    packets.concat()
}

/// Home Assistant's birth message.
fn birth() -> Vec<u8> {
    let topic = BIRTH_TOPIC.as_bytes();
    let length = u8::try_from(2 + topic.len() + 1 + 6).unwrap();
    let mut packet = vec![0x30, length, 0, u8::try_from(topic.len()).unwrap()];
    packet.extend_from_slice(topic);
    packet.push(0);
    packet.extend_from_slice(b"online");
    packet
}

async fn open(answer: &[u8], end: End, step: usize) -> Result<(), OpenError> {
    let mut room = Room;
    let clock = Clock::new();
    let script = Script::new(answer, end).in_steps_of(step);
    Session::open(&mut room, script, &clock, &TARGET)
        .await
        .map(drop)
}

/// Opens a session and publishes one reading.
async fn published(answer: &[u8], end: End) -> Result<Verdict, Fault> {
    let readings = take("emh-mme40", 1);
    let mut buffer = [0; 4096];
    let mut results = Vec::new();
    for step in [usize::MAX, 1] {
        let mut room = Room;
        let clock = Clock::new();
        let script = Script::new(said(&[CONNACK, PUBACK, answer]), end).in_steps_of(step);
        let mut session = Session::open(&mut room, script, &clock, &TARGET)
            .await
            .unwrap();
        results.push(session.publish(&[readings[0].stamped()], &mut buffer).await);
    }
    assert_eq!(results[0], results[1], "in one piece and byte by byte");
    results[0]
}

#[tokio::test]
async fn logins_are_sorted() {
    let later = |status| Verdict::Later {
        status,
        after: None,
    };
    let check = |status| Verdict::Check { status };
    for (code, verdict) in [
        (0x80, later(0x80)),
        (0x84, check(0x84)),
        (0x85, check(0x85)),
        (0x86, check(0x86)),
        (0x87, check(0x87)),
        (0x88, later(0x88)),
        (0x89, later(0x89)),
        (0x8a, check(0x8a)),
        (0x97, later(0x97)),
        (0x9a, check(0x9a)),
        (0x9f, later(0x9f)),
    ] {
        let refused = open(&[0x20, 3, 0, code, 0], End::Close, 1).await;
        assert_eq!(refused, Err(OpenError::Refused(verdict)), "{code:#x}");
        assert!(verdict.to_string().contains(&format!("{code:#x}")));
    }
}

#[tokio::test]
async fn a_login_that_breaks_off_anywhere() {
    let answer = said(&[CONNACK, PUBACK]);
    for step in [1, usize::MAX] {
        assert_eq!(open(&answer, End::Silence, step).await, Ok(()));
        for cut in 0..answer.len() {
            let fault = open(&answer[..cut], End::Close, step).await.unwrap_err();
            assert!(matches!(fault, OpenError::Fault(_)), "{cut}: {fault:?}");
        }
    }
}

#[tokio::test]
async fn nonsense_is_a_fault() {
    for answer in [
        // What a server says that speaks 3.1.1 only.
        &[0x20, 2, 0, 1][..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &[0x40, 2, 0, 1],
        &[0xff; 64],
        &[0; 64],
        &[0x20, 0xff, 0xff, 0xff, 0xff, 0x7f],
        // A session that was not asked for.
        &[0x20, 3, 1, 0, 0],
        // A reason of 60000 bytes.
        &[
            0x20, 0xe6, 0xd4, 0x03, 0, 0x87, 0xe3, 0xd4, 0x03, 0x1f, 0xea, 0x60, b'x',
        ],
    ] {
        for end in [End::Close, End::Again] {
            let fault = open(answer, end, 7).await.unwrap_err();
            assert!(
                matches!(fault, OpenError::Fault(_)),
                "{answer:?}: {fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn acknowledgements_are_sorted() {
    let later = |status| Verdict::Later {
        status,
        after: None,
    };
    assert_eq!(
        published(PUBACK, End::Silence).await,
        Ok(Verdict::Delivered)
    );
    for (code, verdict) in [
        (0x00, Verdict::Delivered),
        (0x10, Verdict::Delivered),
        (0x80, later(0x80)),
        (0x83, later(0x83)),
        (0x87, Verdict::Check { status: 0x87 }),
        (0x90, Verdict::Check { status: 0x90 }),
        (0x97, later(0x97)),
        (0x99, Verdict::Refused { status: 0x99 }),
    ] {
        let puback = [0x40, 3, 0, 1, code];
        assert_eq!(
            published(&puback, End::Silence).await,
            Ok(verdict),
            "{code:#x}"
        );
    }
    // Instead of an acknowledgement the server throws the device out.
    for (code, verdict) in [
        (0x87, Verdict::Check { status: 0x87 }),
        (0x95, Verdict::Refused { status: 0x95 }),
    ] {
        let disconnect = [0xe0, 1, code];
        assert_eq!(
            published(&disconnect, End::Close).await,
            Ok(verdict),
            "{code:#x}"
        );
    }
}

#[tokio::test]
async fn what_comes_in_between_is_heard() {
    let answer = said(&[PINGRESP, &birth(), &[0x40, 2, 0, 9], PUBACK]);
    assert_eq!(
        published(&answer, End::Silence).await,
        Ok(Verdict::Delivered)
    );
}

#[tokio::test]
async fn a_session_that_ends_is_a_fault() {
    for answer in [
        &[][..],
        &[0x40],
        &[0x40, 2, 0],
        &[0xe0, 0],
        &[0xe0, 1, 0],
        &[0x82, 1, 0],
        b"garbage",
    ] {
        published(answer, End::Close).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_server_without_acknowledgements_is_not_used() {
    let readings = take("emh-mme40", 1);
    // Maximum QoS 0.
    let answer = [0x20, 5, 0, 0, 2, 0x24, 0];
    let mut room = Room;
    let clock = Clock::new();
    let opened = Session::open(
        &mut room,
        Script::new(answer, End::Silence),
        &clock,
        &TARGET,
    )
    .await;
    assert_eq!(
        opened.err(),
        Some(OpenError::Refused(Verdict::Check { status: 0x9b }))
    );

    // The longest packet is 100 bytes, and that of `online` is shorter.
    let answer = said(&[&[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 100], PUBACK]);
    let mut room = Room;
    let script = Script::new(answer, End::Silence);
    let mut session = Session::open(&mut room, script, &clock, &TARGET)
        .await
        .unwrap();
    let mut buffer = [0; 4096];
    let verdict = session.publish(&[readings[0].stamped()], &mut buffer).await;
    assert_eq!(verdict, Ok(Verdict::Refused { status: 0x95 }));
    let verdict = session
        .publish(&[readings[0].stamped()], &mut [0; 10])
        .await;
    assert_eq!(verdict, Err(Fault::TooLong));
}

#[tokio::test(start_paused = true)]
async fn silence_is_pinged_and_given_up() {
    let mut room = Room;
    let clock = Clock::new();
    let script = Script::new(said(&[CONNACK, PUBACK]), End::Silence);
    let mut session = Session::open(&mut room, script, &clock, &TARGET)
        .await
        .unwrap();
    let until = |seconds| Duration::from_secs(seconds);
    assert_eq!(session.idle(until(29), 0).await, Ok(Woken::Time));
    assert_eq!(session.idle(until(49), 0).await, Ok(Woken::Time));
    // A ping at 30 s, and no answer 20 s later.
    assert_eq!(session.idle(until(1000), 0).await, Err(Fault::Closed));
    assert_eq!(clock.now().as_secs(), 50);

    let mut room = Room;
    let clock = Clock::new();
    let script = Script::new(said(&[CONNACK, PUBACK]), End::Silence)
        .then_repeating(PINGRESP, Duration::from_secs(10));
    let mut session = Session::open(&mut room, script, &clock, &TARGET)
        .await
        .unwrap();
    assert_eq!(session.idle(until(3600), 0).await, Ok(Woken::Time));
    assert_eq!(clock.now().as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn home_assistant_starts_and_everything_is_said_again() {
    let mut target = TARGET;
    target.discovery = Some(DISCOVERY);
    let answer = said(&[CONNACK, PUBACK, SUBACK, PUBACK, PUBACK, PUBACK, &birth()]);
    let mut room = Room;
    let clock = Clock::new();
    let script = Script::new(answer, End::Silence).then_repeating(PUBACK, Duration::from_secs(1));
    let mut session = Session::open(&mut room, script, &clock, &target)
        .await
        .unwrap();
    let readings = take("emh-mme40", 2);
    let mut buffer = [0; 8192];
    for taken in &readings {
        let shown = session.show(&taken.stamped(), &[], &mut buffer).await;
        assert_eq!(shown, Ok(Verdict::Delivered));
    }
    // Half of the random numbers are half of the ten seconds.
    let woken = session.idle(Duration::from_secs(100), 1 << 31).await;
    assert_eq!((woken, clock.now().as_secs()), (Ok(Woken::Birth), 5));
    let shown = session.show(&readings[1].stamped(), &[], &mut buffer).await;
    assert_eq!(shown, Ok(Verdict::Delivered));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_dropped_in_a_packet_is_not_used_again() {
    let mut room = Room;
    let clock = Clock::new();
    let script = Script::new(said(&[CONNACK, PUBACK]), End::Silence);
    let mut session = Session::open(&mut room, script, &clock, &TARGET)
        .await
        .unwrap();
    let readings = take("emh-mme40", 1);
    let stamped = [readings[0].stamped()];
    let mut buffer = [0; 4096];
    let publishing = session.publish(&stamped, &mut buffer);
    assert_eq!(
        clock.at_most(Duration::from_secs(10), publishing).await,
        None
    );
    assert_eq!(
        session.publish(&stamped, &mut buffer).await,
        Err(Fault::Closed)
    );
    assert_eq!(
        session.idle(Duration::from_mins(1), 0).await,
        Err(Fault::Closed)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_comes_comes_to_an_end(
        connack in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..30)),
        packets in proptest::collection::vec(
            (prop_oneof![Just(0x30_u8), Just(0x32), Just(0x40), Just(0x90), Just(0xe0), any::<u8>()],
             proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..4], 0..24)), 0..5),
        step in 1_usize..20,
    ) {
        let packet = |kind: u8, body: &[u8]| [&[kind, u8::try_from(body.len()).unwrap()], body].concat();
        let mut answer = connack.map_or(said(&[CONNACK, PUBACK]), |body| packet(0x20, &body));
        for (kind, body) in packets {
            answer.extend(packet(kind, &body));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut room = Room;
            let clock = Clock::new();
            let script = Script::new(answer, End::Close).in_steps_of(step);
            if let Ok(mut session) = Session::open(&mut room, script, &clock, &TARGET).await {
                let readings = take("emh-mme40", 1);
                let _ = session.publish(&[readings[0].stamped()], &mut [0; 4096]).await;
                let _ = session.idle(Duration::from_secs(100), 0).await;
                let _ = session.close().await;
            }
        });
    }
}
