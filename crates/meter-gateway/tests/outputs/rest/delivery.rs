//! Which readings are sent, in which form and when: over real sockets and TLS, out of
//! a real journal.

use std::time::{Duration, Instant};

use meter_gateway::output::rest::Format;
use meter_gateway::output::{OnChange, State, Status};
use meter_sim::backend::{self, Answer, Behaviour, Step};

use super::setup::{OTHER_METER, Result, Setup, TOKEN, assert_says, index_of, numbers};

#[tokio::test]
async fn a_hundred_readings_over_one_connection() -> Result {
    let setup = Setup::new().await?;
    setup.append_all(0..100).await?;
    let running = setup.start().await?;
    running.until_delivered().await?;
    setup.append(100).await?;
    let status = running
        .until("at 101", |status| status.delivered == 101)
        .await?;
    running.stop().await?;
    assert_eq!(setup.arrived(), numbers(0..101));
    assert_eq!(setup.backend.connection_count(), 1);
    assert_eq!((status.rejected, status.last_error.as_deref()), (0, None));
    assert!(status.last_success.is_some());
    let request = &setup.backend.received()[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, format!("/api/v1/{TOKEN}/telemetry"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(setup.warnings(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn max_rate_paces_a_backlog() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.remote.delivery.max_rate = Some(100.try_into()?);
    setup.config.batch_size = 20.try_into()?;
    setup.append_all(0..200).await?;
    setup.deliver_all().await?;
    assert_eq!(setup.arrived(), numbers(0..200));
    let received = setup.backend.received();
    let second = Duration::from_secs(1);
    for first in &received {
        let within = received.iter().filter(|other| {
            other.arrival >= first.arrival && other.arrival - first.arrival < second
        });
        let readings: usize = within.map(|request| request.readings().len()).sum();
        assert!(readings <= 120, "{readings} readings in one second");
    }
    Ok(())
}

#[tokio::test]
async fn a_backlog_of_more_bytes_than_are_read_at_once_does_not_hold_a_fresh_reading() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.remote.delivery.newest_first = true;
    setup.config.batch_size = 500.try_into()?;
    // The journal hands out 256 KiB at once.
    setup.append_signed(0..1000).await?;
    let late = || Step::Late(Duration::from_millis(500), Answer::status(200));
    setup
        .backend
        .set_behaviour(Behaviour::first([late(), late(), late(), late(), late()]));
    let running = setup.start().await?;
    // The newest of all, and then the first of the backlog.
    assert!(
        setup
            .backend
            .wait_until(Duration::from_secs(10), |it| it.request_count() == 2)
            .await
    );
    setup.append(1000).await?;
    let here = |it: &backend::Backend| {
        it.accepted_readings()
            .iter()
            .filter_map(index_of)
            .any(|index| index == 1000)
    };
    assert!(
        setup
            .backend
            .wait_until(Duration::from_secs(10), here)
            .await
    );
    assert!(
        setup.arrived().len() < 600,
        "{} came before it",
        setup.arrived().len()
    );
    running.stop().await
}

#[tokio::test]
async fn newest_first_keeps_readings_fresh_while_a_backlog_drains() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.remote.delivery.newest_first = true;
    setup.config.remote.delivery.max_rate = Some(100.try_into()?);
    setup.config.batch_size = 10.try_into()?;
    setup.append_all(0..150).await?;
    let running = setup.start().await?;
    // The newest is first of all, before the backlog.
    assert!(
        setup
            .backend
            .wait_until(Duration::from_secs(5), |it| it.request_count() > 2)
            .await
    );
    for fresh in [150, 151] {
        setup.append(fresh).await?;
        let appended = Instant::now();
        let here = |it: &backend::Backend| {
            it.accepted_readings()
                .iter()
                .filter_map(index_of)
                .any(|index| index == fresh)
        };
        assert!(setup.backend.wait_until(Duration::from_secs(5), here).await);
        assert!(
            appended.elapsed() < Duration::from_millis(500),
            "{:?}",
            appended.elapsed()
        );
        assert!(setup.arrived().len() < 100, "the backlog was gone already");
    }
    running.until_delivered().await?;
    running.stop().await?;
    let mut arrived = setup.arrived();
    let fresh = [150, 151];
    let backlog: Vec<i64> = arrived
        .iter()
        .copied()
        .filter(|index| !fresh.contains(index))
        .collect();
    assert!(
        backlog[1..].is_sorted() || backlog.is_sorted(),
        "{backlog:?}"
    );
    arrived.sort_unstable();
    assert_eq!(arrived, numbers(0..152));
    Ok(())
}

#[tokio::test]
async fn an_interval_sends_the_newest_of_each() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.remote.delivery.interval = "60s".parse()?;
    setup.config.batch_size = 7.try_into()?;
    // START is 40 s after a full minute.
    setup.append_all(0..3000).await?;
    let status = setup.deliver_all().await?;
    let newest: Vec<i64> = (0..50)
        .map(|minute| 19 + minute * 60)
        .chain([2999])
        .collect();
    assert_eq!(setup.arrived(), newest);
    assert_eq!((status.delivered, status.left_out), (51, 2949));
    Ok(())
}

#[tokio::test]
async fn only_what_has_changed() -> Result {
    let mut setup = Setup::new().await?;
    // Each reading counts a tenth of a Wh more.
    setup.config.remote.delivery.on_change = Some(OnChange {
        power: 1.try_into()?,
        energy: 1.try_into()?,
        heartbeat: Duration::from_hours(1).into(),
    });
    setup.append_all(0..35).await?;
    let status = setup.deliver_all().await?;
    assert_eq!(setup.arrived(), [0, 10, 20, 30]);
    assert_eq!((status.delivered, status.left_out), (4, 31));
    // Nothing is remembered: the next run begins with a reading.
    setup.append_all(35..37).await?;
    setup.deliver_all().await?;
    assert_eq!(setup.arrived(), [0, 10, 20, 30, 35]);
    Ok(())
}

#[tokio::test]
async fn only_the_wanted_meters() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.remote.delivery.meters = vec!["1emh 00 12345678".parse()?];
    setup.append(0).await?;
    setup.append_of(&OTHER_METER, 1).await?;
    setup.append(2).await?;
    let status = setup.deliver_all().await?;
    assert_eq!(setup.arrived(), [0, 2]);
    assert_eq!(status.left_out, 1);
    Ok(())
}

#[tokio::test]
async fn classic_sends_one_reading_per_post() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.format = Format::Classic;
    setup.append_all(0..3).await?;
    setup.deliver_all().await?;
    let received = setup.backend.received();
    assert_eq!(received.len(), 3);
    let classic = received[1].json.clone().unwrap_or_default();
    assert_eq!(classic["1.8.0_Wh"], "1000000.1");
    assert_eq!(classic["devid"], "1EMH00 12345678");
    Ok(())
}

#[tokio::test]
async fn templates_of_one_and_of_many() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.format = Format::Template;
    setup.config.content_type = Some("text/plain".to_owned());
    let one = r#"electricity,meter={{ meter }} import={{ values["1.8.0_Wh"] }} {{ time_ms }}"#;
    setup.config.template = Some(one.to_owned());
    setup.append_all(0..2).await?;
    setup.deliver_all().await?;
    let many =
        "{% for r in readings %}{{ r.registers[0].obis }}={{ r.registers[0].value }};{% endfor %}";
    setup.config.template = Some(many.to_owned());
    setup.append_all(2..4).await?;
    setup.deliver_all().await?;
    let received = setup.backend.received();
    let bodies: Vec<&str> = received
        .iter()
        .map(|request| std::str::from_utf8(&request.body).unwrap())
        .collect();
    assert_eq!(
        bodies,
        [
            "electricity,meter=1EMH0012345678 import=1000000.0 1780000000000",
            "electricity,meter=1EMH0012345678 import=1000000.1 1780000001000",
            "1-0:1.8.0*255=1000000.2;1-0:1.8.0*255=1000000.3;",
        ]
    );
    assert_eq!(received[0].header("content-type"), Some("text/plain"));

    setup.config.template = Some("{{ ".to_owned());
    let error = setup.config.validate().unwrap_err();
    assert_says(&error.to_string(), &["the template has a fault"]);
    Ok(())
}

/// What `meterline config example` shows can be copied as it is.
#[tokio::test]
async fn the_template_of_the_example_is_right() -> Result {
    let example = meter_gateway::config::example();
    let line = example
        .lines()
        .find(|line| line.starts_with("#template = "));
    let table: toml::Table = line.ok_or("no template")?[1..].parse()?;
    let mut setup = Setup::new().await?;
    setup.config.format = Format::Template;
    setup.config.template = table["template"].as_str().map(str::to_owned);
    setup.append(7).await?;
    setup.deliver_all().await?;
    let received = setup.backend.received();
    assert_eq!(
        std::str::from_utf8(&received[0].body)?,
        r#"{"meter": "1EMH0012345678", "time": 1780000007000, "import": 1000000.7, "power": -105.5}"#
    );
    assert!(received[0].json.is_some());
    Ok(())
}

/// A register that this meter does not have is known only when it is read: nothing may be sent in
/// its place, because the server would acknowledge it.
#[tokio::test]
async fn a_template_that_fails_for_this_meter_keeps_its_readings() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.format = Format::Template;
    setup.config.template = Some("{{ values[\"36.7.0_W\"] }}".to_owned());
    setup.append(0).await?;
    let running = setup.start().await?;
    let status = running
        .until("misconfigured", |status| {
            status.state == State::Misconfigured
        })
        .await?;
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["nothing is sent, because the template fails", "undefined"],
    );
    running.stop().await?;
    assert!(setup.backend.received().is_empty());
    assert_eq!(setup.cursor().await?.backlog().await?.readings, 1);

    setup.config.template = Some("{{ values[\"36.7.0_W\"] | default(\"null\") }}".to_owned());
    setup.deliver_all().await?;
    assert_eq!(&setup.backend.received()[0].body[..], b"null");
    Ok(())
}

#[tokio::test]
async fn shutdown_waits_a_second_for_the_answer_and_loses_nothing() -> Result {
    let setup = Setup::new().await?;
    setup.append_all(0..5).await?;
    let late = Step::Late(Duration::from_millis(300), Answer::status(200));
    setup
        .backend
        .set_behaviour(Behaviour::first([late, Step::Stall]));
    let running = setup.start().await?;
    let asked = |it: &backend::Backend| it.request_count() == 1;
    assert!(
        setup
            .backend
            .wait_until(Duration::from_secs(5), asked)
            .await
    );
    running.stop().await?;
    assert_eq!(setup.arrived(), numbers(0..5));

    // The next run sends nothing twice, and one that never gets its answer
    // does not keep the program from ending.
    setup.append(5).await?;
    let running = setup.start().await?;
    assert!(
        setup
            .backend
            .wait_until(Duration::from_secs(5), |it| it.request_count() == 2)
            .await
    );
    let begun = Instant::now();
    running.stop().await?;
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    setup.deliver_all().await?;
    assert_eq!(setup.arrived(), numbers(0..6));
    Ok(())
}

#[tokio::test]
async fn no_secret_is_ever_logged() -> Result {
    let mut setup = Setup::new().await?;
    setup
        .config
        .headers
        .insert("X-Api-Key".to_owned(), "k3y-0f-h34d3r".parse()?);
    setup.config.username = Some("me".to_owned());
    setup.config.password = Some("p4ssw0rd-0f-m1n3".parse()?);
    let basic = "bWU6cDRzc3cwcmQtMGYtbTFuMw==";
    let secrets = [TOKEN, "k3y-0f-h34d3r", "p4ssw0rd-0f-m1n3", basic];
    let gossip = format!("POST /api/v1/{TOKEN} k3y-0f-h34d3r p4ssw0rd-0f-m1n3 Basic {basic}");
    let mut steps = Vec::new();
    for status in [200, 400, 401, 403, 404, 422, 429, 500] {
        steps.push(Step::Answer(Answer::status(status).body(gossip.clone())));
    }
    steps.push(Step::Answer(Answer::redirect(
        307,
        format!("https://evil.example/{TOKEN}"),
    )));
    steps.push(Step::Answer(Answer::redirect(
        307,
        format!("/{TOKEN}/again"),
    )));
    steps.extend([Step::Close, Step::Reset]);
    setup.append_all(0..4).await?;
    let running = setup.start().await?;
    running.until_delivered().await?;
    setup.backend.set_behaviour(Behaviour::first(steps));
    let mut seen = Vec::new();
    setup.append_all(4..8).await?;
    for done in 8..12 {
        let settled = |status: &Status| status.delivered + status.rejected == done;
        seen.push(format!("{:?}", running.until("settled", settled).await?));
        setup.append(i64::try_from(done)?).await?;
    }
    setup
        .backend
        .set_behaviour(Behaviour::refusing(move |reading| {
            (index_of(reading)? == 13).then(|| Answer::status(400).body(gossip.clone()))
        }));
    setup.append_all(12..15).await?;
    let settled = |status: &Status| status.delivered + status.rejected == 15;
    seen.push(format!("{:?}", running.until("settled", settled).await?));
    running.stop().await?;
    seen.push(setup.log());
    seen.push(format!("{:?} {:?}", setup.config, setup.rejected().await?));
    let seen = seen.concat();
    assert_says(
        &seen,
        &[
            "answers 401",
            "answers 500",
            "evil.example",
            "***",
            "set aside",
        ],
    );
    for secret in secrets {
        assert!(!seen.contains(secret), "{secret} was shown");
    }
    let sent = setup.backend.received();
    assert_eq!(sent[0].header("x-api-key"), Some("k3y-0f-h34d3r"));
    assert_eq!(
        sent[0].header("authorization"),
        Some(format!("Basic {basic}").as_str())
    );
    Ok(())
}
