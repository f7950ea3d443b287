//! What each answer of a server leads to.

use std::time::{Duration, Instant, SystemTime};

use meter_gateway::output::State;
use meter_sim::backend::{Answer, Behaviour, Encoding, Step};

use super::setup::{Result, START, Setup, TOKEN, assert_says, index_of, millis, numbers};

#[tokio::test]
async fn busy_servers_are_tried_again() -> Result {
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        let setup = Setup::new().await?;
        setup.append_all(0..3).await?;
        let busy = Answer::status(status).body("busy, come back");
        setup.backend.set_behaviour(Behaviour::first(busy.times(3)));
        let done = setup.deliver_all().await?;
        let error = done.last_error.unwrap_or_default();
        assert_says(
            &error,
            &[&format!("it answers {status}"), "busy, come back"],
        );
        assert_eq!(setup.arrived(), numbers(0..3));
        assert_eq!(setup.backend.request_count(), 4);
        assert_eq!(setup.warnings().len(), 1);
        assert_eq!(setup.rejected_indices().await?, [0; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn refused_credentials_and_paths_keep_the_data() -> Result {
    for (status, words) in [
        (401, "check the token or password"),
        (403, "may not write here"),
        (404, "check the path in url"),
        (405, "check url, method, format"),
        (410, "check the path in url"),
        (415, "content_type"),
    ] {
        let setup = Setup::new().await?;
        setup.append_all(0..20).await?;
        setup
            .backend
            .set_behaviour(Behaviour::always(Answer::status(status)));
        let running = setup.start().await?;
        let seen = running
            .until("misconfigured", |status| {
                status.state == State::Misconfigured
            })
            .await?;
        assert_says(
            &seen.last_error.unwrap_or_default(),
            &[&status.to_string(), words],
        );
        assert!(
            setup
                .backend
                .wait_until(Duration::from_secs(5), |it| it.request_count() >= 3)
                .await
        );
        setup.backend.set_behaviour(Behaviour::accept());
        running.until_delivered().await?;
        running.stop().await?;
        assert_eq!(setup.arrived(), numbers(0..20));
        assert_eq!(setup.rejected_indices().await?, [0; 0]);
        assert_eq!(setup.warnings().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn retry_after_is_honoured() -> Result {
    let date = |seconds: u64| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000 + seconds);
        httpdate::fmt_http_date(time)
    };
    for answer in [
        Answer::status(429).header("Retry-After", "1"),
        Answer::status(503).header("Retry-After", " 1 "),
        // By the server's clock, which is months away from ours.
        Answer::status(503)
            .header("Date", date(0))
            .header("Retry-After", date(1)),
    ] {
        let setup = Setup::new().await?;
        setup.append(0).await?;
        setup
            .backend
            .set_behaviour(Behaviour::first([Step::Answer(answer)]));
        setup.deliver_all().await?;
        let arrivals: Vec<Instant> = setup
            .backend
            .received()
            .iter()
            .map(|request| request.arrival)
            .collect();
        assert_eq!(arrivals.len(), 2);
        let pause = arrivals[1] - arrivals[0];
        assert!(pause >= Duration::from_secs(1), "{pause:?}");
        assert!(pause < Duration::from_secs(2), "{pause:?}");
    }
    Ok(())
}

#[tokio::test]
async fn halving_finds_exactly_the_refused_readings() -> Result {
    let setup = Setup::new().await?;
    setup.append_all(0..120).await?;
    let bad = [0, 17, 18, 60, 119];
    setup
        .backend
        .set_behaviour(Behaviour::refusing(move |reading| {
            let index = index_of(reading)?;
            let words = format!("value of {index} out of range, token {TOKEN}");
            bad.contains(&index)
                .then(|| Answer::status(422).body(words))
        }));
    let status = setup.deliver_all().await?;
    let good: Vec<i64> = (0..120).filter(|index| !bad.contains(index)).collect();
    let mut arrived = setup.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, good);
    assert_eq!(setup.rejected_indices().await?, bad);
    assert_eq!((status.rejected, status.delivered), (5, 115));
    let rejected = setup.rejected().await?;
    let answer = &rejected
        .iter()
        .find(|one| one.record.time.0 == START + 17_000)
        .unwrap()
        .answer;
    assert_eq!(
        answer,
        "422 Unprocessable Entity (\"value of 17 out of range, token ***\")"
    );
    let warnings = setup.warnings();
    assert_eq!(warnings.len(), 5);
    assert_says(
        &warnings[0],
        &[
            "set aside a reading of meter 1 EMH00 1234 5678",
            "out of range",
        ],
    );
    Ok(())
}

#[tokio::test]
async fn the_server_s_words_are_read_in_every_encoding() -> Result {
    for encoding in [Encoding::Plain, Encoding::Chunked, Encoding::Gzip] {
        let setup = Setup::new().await?;
        setup.append_all(0..2).await?;
        setup
            .backend
            .set_behaviour(Behaviour::refusing(move |reading| {
                let words = format!("no\n<b>thanks</b>, {TOKEN}");
                (index_of(reading)? == 0)
                    .then(|| Answer::status(400).body(words).encoding(encoding))
            }));
        setup.deliver_all().await?;
        let rejected = setup.rejected().await?;
        assert_eq!(
            rejected[0].answer,
            "400 Bad Request (\"no <b>thanks</b>, ***\")"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_refuses_everything_does_not_get_the_backlog_set_aside() -> Result {
    let setup = Setup::new().await?;
    setup.append_all(0..200).await?;
    setup
        .backend
        .set_behaviour(Behaviour::always(Answer::status(400).body("what is this?")));
    let running = setup.start().await?;
    let status = running
        .until("misconfigured", |status| {
            status.state == State::Misconfigured
        })
        .await?;
    let error = status.last_error.unwrap_or_default();
    assert_says(
        &error,
        &[
            "refuses every reading",
            "what is this?",
            "nothing was set aside",
        ],
    );
    let so_far = setup.backend.request_count();
    assert!(so_far < 40, "{so_far} requests");
    // It goes on trying, slowly, with one reading.
    assert!(
        setup
            .backend
            .wait_until(Duration::from_secs(5), |it| it.request_count() > so_far)
            .await
    );
    let received = setup.backend.received();
    assert_eq!(received.last().map(|last| last.readings().len()), Some(1));
    assert_eq!(setup.rejected_indices().await?, [0; 0]);

    setup.backend.set_behaviour(Behaviour::accept());
    running.until_delivered().await?;
    running.stop().await?;
    let mut arrived = setup.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, numbers(0..200));
    assert_eq!(setup.rejected_indices().await?, [0; 0]);
    assert_eq!(setup.warnings().len(), 1, "{:?}", setup.warnings());
    Ok(())
}

#[tokio::test]
async fn a_long_row_of_bad_readings_is_no_misconfiguration() -> Result {
    let mut setup = Setup::new().await?;
    // If it had to wait for this, the test would run out of time.
    setup.config.remote.delivery.recheck = millis(3_600_000);
    setup.append_all(0..60).await?;
    setup.backend.set_behaviour(Behaviour::refusing(|reading| {
        (10..40)
            .contains(&index_of(reading)?)
            .then(|| Answer::status(400))
    }));
    setup.deliver_all().await?;
    let mut arrived = setup.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, (0..10).chain(40..60).collect::<Vec<_>>());
    assert_eq!(setup.rejected_indices().await?, numbers(10..40));
    Ok(())
}

#[tokio::test]
async fn a_single_refused_reading_waits_for_evidence() -> Result {
    let setup = Setup::new().await?;
    setup.append(0).await?;
    setup.backend.set_behaviour(Behaviour::refusing(|reading| {
        (index_of(reading)? == 0).then(|| Answer::status(400))
    }));
    let running = setup.start().await?;
    assert!(
        setup
            .backend
            .wait_until(Duration::from_secs(5), |it| it.request_count() >= 3)
            .await
    );
    assert_eq!(setup.rejected_indices().await?, [0; 0]);
    setup.append(1).await?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(setup.rejected_indices().await?, [0]);
    assert_eq!(setup.arrived(), [1]);
    Ok(())
}

#[tokio::test]
async fn too_large_a_body_is_made_smaller() -> Result {
    let setup = Setup::new().await?;
    setup.append_all(0..200).await?;
    setup.backend.set_behaviour(Behaviour {
        limit: Some(1500),
        ..Behaviour::default()
    });
    setup.deliver_all().await?;
    assert_eq!(setup.arrived(), numbers(0..200));
    let refused = setup
        .backend
        .received()
        .iter()
        .filter(|request| !request.accepted())
        .count();
    assert!(
        refused <= 6,
        "the size is remembered, yet {refused} were too large"
    );
    assert_eq!(setup.warnings(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn broken_answers_and_stalls() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.remote.timeout = millis(300);
    setup.append_all(0..3).await?;
    setup
        .backend
        .set_behaviour(Behaviour::first([Step::Stall, Step::Reset, Step::Close]));
    let status = setup.deliver_all().await?;
    assert_eq!(setup.arrived(), numbers(0..3));
    assert!(status.last_error.is_some());

    // A 200 is a 200, however its body ends.
    setup.append(3).await?;
    setup
        .backend
        .set_behaviour(Behaviour::first([Step::CutAnswer]));
    setup.deliver_all().await?;
    assert_eq!(setup.arrived(), numbers(0..4));
    Ok(())
}

#[tokio::test]
async fn any_2xx_is_success() -> Result {
    for status in [200, 201, 202, 204, 299] {
        let setup = Setup::new().await?;
        setup.append(0).await?;
        setup
            .backend
            .set_behaviour(Behaviour::always(Answer::status(status)));
        setup.deliver_all().await?;
        assert_eq!(setup.backend.request_count(), 1);
        assert_eq!(setup.warnings(), [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn redirects_within_the_host_keep_the_body() -> Result {
    for status in [301, 302, 307, 308] {
        let setup = Setup::new().await?;
        setup.append_all(0..3).await?;
        let there = Answer::redirect(status, "/elsewhere");
        setup
            .backend
            .set_behaviour(Behaviour::first([Step::Answer(there)]));
        setup.deliver_all().await?;
        assert_eq!(setup.arrived(), numbers(0..3));
        let received = setup.backend.received();
        assert_eq!(
            (received[1].method.as_str(), received[1].path.as_str()),
            ("POST", "/elsewhere")
        );
        assert_eq!(received[0].body, received[1].body);
    }
    Ok(())
}

#[tokio::test]
async fn other_redirects_keep_the_data_and_say_why() -> Result {
    for (answer, words) in [
        (
            Answer::redirect(307, "https://evil.example/x"),
            "another host, https://evil.example/…",
        ),
        (
            Answer::redirect(302, "//evil.example/x"),
            "another host, https://evil.example/…",
        ),
        (
            Answer::redirect(308, "http://localhost/x"),
            "from https down to http://localhost/…",
        ),
        (Answer::redirect(303, "/x"), "303 (See Other)"),
        (Answer::status(307), "redirects to nowhere"),
        (Answer::redirect(301, "/again"), "more than 5 times"),
    ] {
        let setup = Setup::new().await?;
        setup.append(0).await?;
        setup.backend.set_behaviour(Behaviour::always(answer));
        let running = setup.start().await?;
        let status = running
            .until("misconfigured", |status| {
                status.state == State::Misconfigured
            })
            .await?;
        assert_says(&status.last_error.unwrap_or_default(), &[words]);
        setup.backend.set_behaviour(Behaviour::accept());
        running.until_delivered().await?;
        running.stop().await?;
        assert_eq!(setup.arrived(), [0]);
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_to_a_login_is_no_success() -> Result {
    let setup = Setup::new().await?;
    setup.append(0).await?;
    let login = Answer::status(200)
        .header("Content-Type", "text/html")
        .body("<form>");
    let steps = [
        Step::Answer(Answer::redirect(302, "/login")),
        Step::Answer(login),
    ];
    setup.backend.set_behaviour(Behaviour::first(steps));
    let status = setup.deliver_all().await?;
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["redirects to a web page"],
    );
    assert_eq!(setup.backend.request_count(), 3);
    Ok(())
}
