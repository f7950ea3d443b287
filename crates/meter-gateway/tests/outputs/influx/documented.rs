//! Versions 2 and 3 of `InfluxDB`, which cannot be had here: a simulated server gives the answers that
//! their documentation and their clients' tests show.

use std::io::Read as _;
use std::io::Write as _;

use meter_gateway::config::Secret;
use meter_gateway::output::influx::{self, Config, Version};
use meter_gateway::output::{self, State};
use meter_sim::backend::{self, Answer, Backend, Behaviour, Step};
use tempfile::NamedTempFile;

use crate::stage::*;

const TOKEN: &str = "T0pS3cr3tT0k3n";

struct Setup {
    stage: Stage,
    backend: Backend,
    config: Config,
    _ca: NamedTempFile,
}

impl Setup {
    async fn new(version: Version) -> Result<Self> {
        let backend = Backend::start(backend::Config::default())?;
        let mut ca = NamedTempFile::new()?;
        ca.write_all(backend.ca_pem().as_bytes())?;
        let mut config = Config::new(backend.url("/behind/"), version);
        if version == Version::V2 {
            config.org = Some("house & garden".to_owned());
            config.bucket = Some("power".to_owned());
        } else {
            config.database = Some("power".to_owned());
        }
        config.token = Some(Secret::literal(TOKEN));
        config.remote.ca_file = Some(ca.path().to_owned());
        impatient(&mut config.remote);
        Ok(Self {
            stage: Stage::new().await?,
            backend,
            config,
            _ca: ca,
        })
    }

    fn output(&self) -> output::Config {
        output::Config::Influx(self.config.clone())
    }

    /// Gives these answers, one to each request, and takes everything after.
    fn answers(&self, answers: Vec<Answer>) {
        let steps = answers.into_iter().map(Step::Answer);
        self.backend.set_behaviour(Behaviour::first(steps));
    }

    /// The times of the lines of each request, as numbers of readings.
    fn sent(&self) -> Result<Vec<Vec<i64>>> {
        let mut sent = Vec::new();
        for request in self.backend.received() {
            let mut text = String::new();
            flate2::read::GzDecoder::new(request.body.as_slice()).read_to_string(&mut text)?;
            let mut numbers = Vec::new();
            for line in text.lines() {
                let time: i64 = line.rsplit(' ').next().unwrap_or_default().parse()?;
                numbers.push((time - START) / 1000);
            }
            sent.push(numbers);
        }
        Ok(sent)
    }
}

fn taken() -> Answer {
    Answer::status(204)
}

#[tokio::test]
async fn where_and_how_each_version_is_written() -> Result {
    for (version, path, authorization) in [
        (
            Version::V2,
            "/behind/api/v2/write?precision=ms&org=house+%26+garden&bucket=power",
            "Token T0pS3cr3tT0k3n",
        ),
        (
            Version::V3,
            "/behind/api/v3/write_lp?precision=millisecond&accept_partial=true&db=power",
            "Bearer T0pS3cr3tT0k3n",
        ),
    ] {
        let setup = Setup::new(version).await?;
        setup.stage.append_all(0..100).await?;
        setup.answers(vec![taken()]);
        setup.stage.deliver_all(setup.output()).await?;
        let request = &setup.backend.received()[0];
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", path)
        );
        assert_eq!(request.header("authorization"), Some(authorization));
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        assert_eq!(setup.sent()?, [numbers(0..100)]);
        assert_eq!(setup.stage.warnings(), [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn version_3_names_the_lines_that_it_refused() -> Result {
    let setup = Setup::new(Version::V3).await?;
    setup.stage.append_all(0..4).await?;
    setup.answers(vec![Answer::status(400).body(
        r#"{"error":"partial write of line protocol occurred","data":[
            {"original_line":"electricity,meter=1EMH001 temp=hi 1735549200","line_number":2,
             "error_message":"invalid column type for column 'temp', expected iox::column_type::field::float, got iox::column_type::field::string"}]}"#,
    )]);
    let status = setup.stage.deliver_all(setup.output()).await?;
    assert_eq!((status.delivered, status.rejected), (3, 1));
    assert_eq!(setup.stage.rejected_indices().await?, [1]);
    let answer = &setup.stage.rejected().await?[0].answer;
    assert_says(answer, &["400 Bad Request", "invalid column type"]);
    assert_eq!(setup.sent()?, [numbers(0..4)]);
    Ok(())
}

#[tokio::test]
async fn version_3_refuses_every_line() -> Result {
    let setup = Setup::new(Version::V3).await?;
    setup.stage.append_all(0..2).await?;
    let refused = |numbers: &[usize]| {
        let lines: Vec<String> = numbers
            .iter()
            .map(|number| {
                format!(
                    r#"{{"original_line":"","line_number":{number},"error_message":"explicit schema"}}"#
                )
            })
            .collect();
        Answer::status(400).body(format!(
            r#"{{"error":"partial write of line protocol occurred","data":[{}]}}"#,
            lines.join(",")
        ))
    };
    // Nothing is set aside before the server has taken something.
    let mut answers = vec![refused(&[1, 2])];
    answers.extend((0..20).map(|_| refused(&[1])));
    setup.answers(answers);
    let running = setup.stage.start(setup.output()).await?;
    assert!(
        setup
            .backend
            .wait_until(std::time::Duration::from_secs(20), |it| it.request_count()
                > 8)
            .await
    );
    assert_eq!(setup.stage.rejected_indices().await?, [0; 0]);
    running.until_delivered().await?;
    running.stop().await
}

#[tokio::test]
async fn version_2_says_only_how_many_points_it_dropped() -> Result {
    let setup = Setup::new(Version::V2).await?;
    setup.stage.append_all(0..4).await?;
    let dropped = || {
        Answer::status(422).body(
            r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"v\" on measurement \"electricity\" is type float, already exists as type string dropped=1"}"#,
        )
    };
    setup.answers(vec![dropped(), taken(), dropped(), taken(), dropped()]);
    let status = setup.stage.deliver_all(setup.output()).await?;
    assert_eq!((status.delivered, status.rejected), (3, 1));
    assert_eq!(setup.stage.rejected_indices().await?, [3]);
    let sent: [&[i64]; 5] = [&[0, 1, 2, 3], &[0, 1], &[2, 3], &[2], &[3]];
    assert_eq!(setup.sent()?, sent);
    Ok(())
}

#[tokio::test]
async fn what_somebody_has_to_mend_is_named() -> Result {
    let unauthorized =
        Answer::status(401).body(r#"{"code":"unauthorized","message":"unauthorized access"}"#);
    let no_bucket =
        Answer::status(404).body(r#"{"code":"not found","message":"bucket \"power\" not found"}"#);
    let repeated = Answer::status(401).body(format!("the request's token {TOKEN} is not known"));
    for (version, answer, words) in [
        (
            Version::V2,
            unauthorized,
            ["unauthorized access", "check token"],
        ),
        (
            Version::V2,
            no_bucket,
            ["bucket \\\"power\\\" not found", "make the bucket"],
        ),
        (
            Version::V3,
            repeated,
            ["token *** is not known", "check token"],
        ),
        (
            Version::V3,
            Answer::status(404),
            ["404 Not Found", "create database"],
        ),
    ] {
        let setup = Setup::new(version).await?;
        setup.stage.append(0).await?;
        setup.answers(vec![answer.clone(), answer]);
        let error = influx::probe(&setup.config)
            .await
            .err()
            .ok_or("no complaint")?;
        assert_says(&error.to_string(), &words);
        let running = setup.stage.start(setup.output()).await?;
        let error = running.complaint(State::Misconfigured).await?;
        assert_says(&error, &words);
        running.until_delivered().await?;
        running.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_misses_lines_lets_us_in() -> Result {
    for version in [Version::V2, Version::V3] {
        let setup = Setup::new(version).await?;
        let missing = r#"{"code":"invalid","message":"writing requires points"}"#;
        setup.answers(vec![Answer::status(400).body(missing)]);
        let sentence = influx::probe(&setup.config).await?;
        assert_says(
            &sentence,
            &["the certificate is good", "power may be written"],
        );
        assert_eq!(setup.sent()?, [numbers(0..0)]);
    }
    Ok(())
}

#[tokio::test]
async fn busy_and_slow_servers_are_tried_again() -> Result {
    let setup = Setup::new(Version::V2).await?;
    setup.stage.append_all(0..30).await?;
    setup.backend.set_behaviour(Behaviour::first([
        Step::Answer(Answer::status(503)),
        Step::Close,
        Step::Reset,
        Step::Late(std::time::Duration::from_secs(5), taken()),
    ]));
    let status = setup.stage.deliver_all(setup.output()).await?;
    assert_eq!((status.delivered, status.rejected), (30, 0));
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["no answer within 2 s"],
    );
    // The late one was given up before it was answered.
    assert_eq!(setup.sent()?, vec![numbers(0..30); 4]);
    Ok(())
}
