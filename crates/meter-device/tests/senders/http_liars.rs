//! What HTTP servers answer, and what they should not.

use std::time::Duration;

use meter_device::format::Format;
use meter_device::rest::{Posted, Target, post};
use meter_device::url::Url;
use meter_device::verdict::{Fault, Verdict};
use proptest::prelude::*;

use crate::Clock;
use crate::meters::take;
use crate::script::{End, Script};

fn target(format: Format) -> Target<'static> {
    Target {
        url: Url::parse("https://example.org:444/api/v1/TOKEN/telemetry").unwrap(),
        format,
        authorization: Some("Bearer hunter2"),
        agent: "meterline/test",
        event: None,
    }
}

async fn posted(script: &mut Script) -> Result<Posted, Fault> {
    let readings = take("emh-mme40", 1);
    let stamped = [readings[0].stamped()];
    let target = target(Format::Thingsboard);
    let mut buffer = [0; 2048];
    let clock = Clock::new();
    let posting = post(script, &clock, &target, &stamped, &mut buffer);
    tokio::time::timeout(Duration::from_secs(30), posting)
        .await
        .unwrap()
}

/// In one piece and byte by byte it must come to the same.
async fn answered(answer: impl AsRef<[u8]>, end: End) -> Result<Posted, Fault> {
    let answer = answer.as_ref();
    let whole = posted(&mut Script::new(answer, end)).await;
    let split = posted(&mut Script::new(answer, end).in_steps_of(1)).await;
    match (whole, split) {
        // What stands behind the answer is seen only when it has come.
        (Ok(whole), Ok(split)) => assert_eq!(whole.verdict, split.verdict),
        (whole, split) => assert_eq!(whole, split),
    }
    whole
}

#[tokio::test]
async fn the_request_is_one_that_servers_take() {
    let readings = take("emh-mme40", 3);
    let stamped: Vec<_> = readings.iter().map(|taken| taken.stamped()).collect();
    for (format, count) in [
        (Format::Thingsboard, 3),
        (Format::Json, 3),
        (Format::Classic, 1),
    ] {
        let target = target(format);
        assert_eq!(target.fitting(&stamped, 8192), count);
        let mut script = Script::new("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", End::Silence);
        let mut buffer = [0; 8192];
        post(
            &mut script,
            &Clock::new(),
            &target,
            &stamped[..count],
            &mut buffer,
        )
        .await
        .unwrap();
        let request = String::from_utf8(script.heard).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let mut expected = String::new();
        format.write(&stamped[..count], &mut expected).unwrap();
        assert_eq!(body, expected);
        assert_eq!(
            head,
            format!(
                "POST /api/v1/TOKEN/telemetry HTTP/1.1\r\nHost: example.org:444\r\n\
                 User-Agent: meterline/test\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nAuthorization: Bearer hunter2",
                body.len()
            )
        );
    }
}

#[tokio::test]
async fn as_many_as_fit_and_no_more() {
    let readings = take("emh-mme40", 20);
    let stamped: Vec<_> = readings.iter().map(|taken| taken.stamped()).collect();
    for format in [Format::Thingsboard, Format::Json, Format::Classic] {
        let target = target(format);
        let mut most = 0;
        for room in (0..8192).step_by(37) {
            let mut buffer = vec![0; room];
            let count = target.fitting(&stamped, room);
            assert!(count >= most, "more room is never less");
            most = count;
            for (count, fits) in [(count, true), (count + 1, false)] {
                if count == 0 || count > stamped.len() || (count > 1 && !format.batches()) {
                    continue;
                }
                let mut script = Script::new("", End::Close);
                let result = post(
                    &mut script,
                    &Clock::new(),
                    &target,
                    &stamped[..count],
                    &mut buffer,
                )
                .await;
                // Nothing was answered; but what is too long is not even sent.
                // The bound may be too careful by the digits of the length.
                if fits || script.heard.is_empty() {
                    let expected = if fits { Fault::Closed } else { Fault::TooLong };
                    assert_eq!(result, Err(expected), "{format:?}: {count} in {room}");
                }
            }
        }
        assert_eq!(most > 1, format.batches());
    }
}

#[tokio::test]
async fn statuses_are_sorted() {
    let later = |status, seconds: Option<u64>| Verdict::Later {
        status,
        after: seconds.map(Duration::from_secs),
    };
    let check = |status| Verdict::Check { status };
    for (answer, verdict) in [
        ("200 OK\r\nContent-Length: 2\r\n\r\nok", Verdict::Delivered),
        (
            "201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Verdict::Delivered,
        ),
        ("204 No Content\r\n\r\n", Verdict::Delivered),
        ("200 \r\nContent-Length: 0\r\n\r\n", Verdict::Delivered),
        (
            "301 Moved\r\nContent-Length: 0\r\nLocation: https://elsewhere/\r\n\r\n",
            check(301),
        ),
        ("307 Moved\r\nContent-Length: 0\r\n\r\n", check(307)),
        ("304 Not Modified\r\n\r\n", check(304)),
        (
            "400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            Verdict::Refused { status: 400 },
        ),
        ("401 Unauthorized\r\nContent-Length: 0\r\n\r\n", check(401)),
        ("403 Forbidden\r\nContent-Length: 0\r\n\r\n", check(403)),
        ("404 Not Found\r\nContent-Length: 0\r\n\r\n", check(404)),
        ("405 Not Allowed\r\nContent-Length: 0\r\n\r\n", check(405)),
        ("408 Timeout\r\nContent-Length: 0\r\n\r\n", later(408, None)),
        (
            "413 Too Large\r\nContent-Length: 0\r\n\r\n",
            Verdict::Refused { status: 413 },
        ),
        (
            "425 Too Early\r\nContent-Length: 0\r\n\r\n",
            later(425, None),
        ),
        (
            "429 Slow\r\nContent-Length: 0\r\nRetry-After: 120\r\n\r\n",
            later(429, Some(120)),
        ),
        (
            "500 Oops\r\nContent-Length: 0\r\nRetry-After: soon\r\n\r\n",
            later(500, None),
        ),
        (
            "503 Away\r\nContent-Length: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Retry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n\r\n",
            later(503, Some(120)),
        ),
        (
            "503 Away\r\nContent-Length: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Retry-After: Sun, 06 Nov 1994 08:00:00 GMT\r\n\r\n",
            later(503, Some(0)),
        ),
        (
            "503 Away\r\nContent-Length: 0\r\nRetry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n\r\n",
            later(503, None),
        ),
        ("599 Odd\r\nContent-Length: 0\r\n\r\n", later(599, None)),
    ] {
        let posted = answered(format!("HTTP/1.1 {answer}"), End::Silence).await;
        let expected = Posted {
            verdict,
            reusable: true,
        };
        assert_eq!(posted, Ok(expected), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_doubt_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: TE, Close\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nwithout an end",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
    ] {
        let posted = answered(answer, End::Silence).await.unwrap();
        assert_eq!(
            (posted.verdict, posted.reusable),
            (Verdict::Delivered, false),
            "{answer}"
        );
    }
    let more = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more";
    let posted = posted(&mut Script::new(more, End::Silence)).await.unwrap();
    assert!(!posted.reusable);
}

#[tokio::test]
async fn a_connection_that_is_whole_is_used_again() {
    for answer in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length:5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX-Odd: \u{fc}\r\nTransfer-Encoding: CHUNKED\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: 1\r\nOther: 2\r\n\r\n",
    ] {
        let posted = answered(answer, End::Silence).await.unwrap();
        assert_eq!(
            (posted.verdict, posted.reusable),
            (Verdict::Delivered, true),
            "{answer}"
        );
    }
}

/// Before the head is whole nothing is known; behind it the status stands, and no reading is sent twice
/// because a body broke off.
#[tokio::test]
async fn an_answer_that_breaks_off_anywhere() {
    for (head, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "5\r\nhello\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
        ),
    ] {
        let whole = format!("{head}{body}");
        for cut in 0..whole.len() {
            let posted = answered(&whole[..cut], End::Close).await;
            if cut < head.len() {
                assert_eq!(posted, Err(Fault::Closed), "cut at {cut}");
            } else {
                let expected = Posted {
                    verdict: Verdict::Delivered,
                    reusable: false,
                };
                assert_eq!(posted, Ok(expected), "cut at {cut}");
            }
        }
    }
}

#[tokio::test]
async fn nonsense_is_a_fault() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(100));
    for answer in [
        "220 mail.example ESMTP\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "\r\n\r\n\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 Odd\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad name : x\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
        &many,
    ] {
        assert_eq!(
            answered(answer, End::Close).await,
            Err(Fault::Garbage),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn no_liar_goes_on_for_ever() {
    for answer in [
        "HTTP/1.1 200 OK\r\nX: y",
        "X",
        "\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let fault = answered(answer, End::Again).await.unwrap_err();
        assert!(matches!(fault, Fault::Garbage | Fault::Closed), "{answer}");
    }
    for (head, body) in [
        (
            "Transfer-Encoding: chunked\r\n\r\n",
            "5\r\nhello\r\n".repeat(10_000),
        ),
        ("Transfer-Encoding: chunked\r\n\r\n5;", "x".repeat(100_000)),
        (
            "Transfer-Encoding: chunked\r\n\r\n0\r\n",
            "X: y\r\n".repeat(100_000),
        ),
        ("Content-Length: 16384\r\n\r\n", "x".repeat(100_000)),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}{body}");
        let posted = answered(answer, End::Silence).await.unwrap();
        assert_eq!(
            (posted.verdict, posted.reusable),
            (Verdict::Delivered, false),
            "{head}"
        );
    }
}

/// Silence in the middle of a body costs seconds, not the reading.
#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_left() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
    let posted = answered(answer, End::Silence).await.unwrap();
    assert_eq!(
        (posted.verdict, posted.reusable),
        (Verdict::Delivered, false)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_comes_comes_to_an_end(
        head in proptest::option::of("HTTP/1.[01] [1-5][0-9][0-9] OK\r\n(Content-Length: [0-9]{0,6}\r\n|Transfer-Encoding: chunked\r\n|Retry-After: .{0,8}\r\n|Connection: .{0,8}\r\n){0,3}\r\n"),
        rest in proptest::collection::vec(any::<u8>(), 0..200),
        chunks in "([0-9a-f]{0,3}(;x)?\r?\n.{0,9}\r?\n){0,4}",
        step in 1_usize..40,
    ) {
        let mut answer = head.unwrap_or_default().into_bytes();
        answer.extend(chunks.into_bytes());
        answer.extend(rest);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let _ = runtime.block_on(posted(&mut Script::new(answer, End::Close).in_steps_of(step)));
    }
}
