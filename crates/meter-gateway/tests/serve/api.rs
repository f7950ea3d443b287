//! `/api/v1/`, held against its own description.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use meter_core::{Reading, ServerId, Stamped, payload};
use meter_sim::MeterConfig;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::bench::{Head, Program, Result, TODAY, journal};
use crate::client::{self, Answer, HTTP, PATIENCE, begin, get, get_with};

/// The description that the server gives of itself.
struct Description(Value);

impl Description {
    async fn of(address: SocketAddr) -> Result<Self> {
        Ok(Self(get(address, "/api/v1/openapi.json").await?.json()?))
    }

    /// Whether an answer is as the path promises it.
    fn check(&self, path: &str, answer: &Answer) -> Result {
        let responses = &self.0["paths"][path]["get"]["responses"];
        let status = answer.status.as_str();
        let promised = [&responses[status], &responses["default"]];
        let promised = promised.into_iter().find(|promised| promised.is_object());
        let schema = &promised.unwrap()["content"][&answer.kind]["schema"];
        assert!(schema.is_object(), "{path} never promised {answer:?}");
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.0["components"],
        });
        let validator = jsonschema::validator_for(&whole)?;
        let body = answer.json()?;
        let faults: Vec<_> = validator
            .iter_errors(&body)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{path}: {faults:?}\n{body:#}");
        Ok(())
    }
}

fn compact(head: &Head) -> String {
    ServerId(head.server_id()).meter_id().compact().to_string()
}

#[tokio::test]
async fn every_answer_is_as_the_description_promises() -> Result {
    let mut head = Head::of("efr-sgm", &MeterConfig::default()).await?;
    let mut program = Program::start(&format!("{}{HTTP}", head.table("house")?))?;
    let address = client::address(&mut program).await?;
    let telegram = head.speak().await?;
    program.stored(1).await?;
    program
        .until("reading", |view| {
            view.inputs.values().any(|input| input.readings == 1)
        })
        .await?;
    let description = Description::of(address).await?;
    assert_eq!(description.0["openapi"], "3.1.0");
    let meter = compact(&head);
    let paths = description.0["paths"].as_object().unwrap();
    for path in paths.keys().filter(|path| !path.ends_with("/events")) {
        let answer = get(address, &path.replace("{meter}", &meter)).await?;
        assert_eq!(answer.status, 200, "{path}");
        description.check(path, &answer)?;
        if path.contains("{meter}") {
            let missing = get(address, &path.replace("{meter}", "nobody")).await?;
            assert_eq!(missing.status, 404, "{path}");
            description.check(path, &missing)?;
        }
    }

    let meters = get(address, "/api/v1/meters").await?.json()?;
    let one = &meters["meters"][0];
    assert_eq!(one["id"], *meter);
    assert_eq!(one["input"], "house");
    assert_eq!(one["fresh"], true);
    assert_eq!(
        one["registers"].as_array().unwrap().len(),
        telegram.registers.len()
    );
    // By each of its names.
    let spaced = one["meter_id"].as_str().unwrap().replace(' ', "%20");
    for name in [&spaced, one["server_id"].as_str().unwrap()] {
        let latest = get(address, &format!("/api/v1/meters/{name}/latest")).await?;
        let latest = latest.json()?;
        assert_eq!(latest["fresh"], true);
        for register in &telegram.registers {
            let obis = register.obis.to_string();
            let shown = latest["reading"]["registers"].as_array().unwrap();
            let shown = shown.iter().find(|shown| shown["obis"] == *obis).unwrap();
            if let Some(number) = telegram.number_text(register.obis) {
                assert_eq!(shown["value"].to_string(), number, "{obis}");
            }
        }
    }
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_range_of_readings_comes_in_pages_and_as_csv_exactly() -> Result {
    let mut house = Head::new(&MeterConfig::default()).await?;
    let mut garage = Head::new(&MeterConfig {
        serial: Some(77),
        ..MeterConfig::default()
    })
    .await?;
    let table = house.table("house")? + &garage.table("garage")? + HTTP;
    let mut program = Program::start(&table)?;
    let address = client::address(&mut program).await?;
    for round in 1..=20 {
        house.send(1).await?;
        garage.send(1).await?;
        program.stored(2 * round).await?;
    }
    let base = format!("/api/v1/meters/{}/readings", compact(&house));

    let mut pages = Vec::new();
    let mut next = Some(format!("{base}?limit=7"));
    while let Some(path) = next {
        let page = get(address, &path).await?.json()?;
        next = page["next"].as_str().map(str::to_owned);
        pages.push(page["readings"].as_array().unwrap().clone());
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
    let readings: Vec<_> = pages.concat();

    let times: Vec<_> = readings
        .iter()
        .map(|one| one["time"].as_str().unwrap())
        .collect();
    let part = format!("{base}?from={}&to={}", times[5], times[15]);
    let part = get(address, &part).await?.json()?;
    assert_eq!(part["readings"].as_array().unwrap()[..], readings[5..15]);
    assert_eq!(part["next"], Value::Null);

    let csv = get_with(address, &base, &[("accept", "text/csv")]).await?;
    assert_eq!(csv.kind, "text/csv; charset=utf-8; header=present");
    let later = get(address, &format!("{base}?format=csv&from=2027-01-01")).await?;
    assert_eq!(later.body, "time,meter,obis,value,unit\r\n");

    let state = program.stop().await?;
    let mut lines = csv.body.split_terminator("\r\n");
    assert_eq!(lines.next(), Some("time,meter,obis,value,unit"));
    let mut shown = readings.iter();
    let stored = journal(state.path()).await?;
    for record in stored
        .iter()
        .filter(|record| *record.meter == *house.server_id())
    {
        let reading = Reading::from_bytes(&record.body)?;
        let stamped = Stamped {
            time: record.time,
            reading,
        };
        let mut text = String::new();
        payload::json(&[stamped], &mut text)?;
        assert_eq!(shown.next().unwrap().to_string(), text);
        for register in reading.registers() {
            let line = lines.next().unwrap();
            let begin = format!("{},{},{},", record.time, compact(&house), register.obis);
            let rest = line.strip_prefix(&begin).unwrap();
            if let Some(number) = register.number() {
                assert_eq!(rest.split(',').next(), Some(&*number.to_string()));
            }
        }
    }
    assert_eq!((lines.next(), shown.next()), (None, None));
    Ok(())
}

#[tokio::test]
async fn what_a_request_has_wrong_is_told() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program = Program::start(&format!("{}{HTTP}", head.table("house")?))?;
    let address = client::address(&mut program).await?;
    head.send(1).await?;
    program.stored(1).await?;
    let description = Description::of(address).await?;
    for (query, said) in [
        ("from=yesterday", "from: \"yesterday\" is no time"),
        ("to=2026-11-22T10:00:00", "with its zone"),
        ("limit=many", "limit"),
        ("form=2026-11-22", "form"),
        ("format=xml", "csv"),
    ] {
        let path = format!("/api/v1/meters/{}/readings?{query}", compact(&head));
        let answer = get(address, &path).await?;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.kind, "application/problem+json");
        description.check("/api/v1/meters/{meter}/readings", &answer)?;
        assert!(
            answer.body.contains(&said.replace('"', "\\\"")),
            "{answer:?}"
        );
    }
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn health_says_when_somebody_should_look() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let text = format!("{}{HTTP}", head.table("house")?);
    let mut program = Program::start(&text)?;
    program.expect("the new configuration is not taken");
    let address = client::address(&mut program).await?;
    head.send(1).await?;
    program.stored(1).await?;
    let description = Description::of(address).await?;
    let well = get(address, "/api/v1/health").await?;
    assert_eq!(well.status, 200, "{well:?}");
    description.check("/api/v1/health", &well)?;
    assert_eq!(well.json()?["status"], "ok");

    program.reload("nonsense = 1").await?;
    program
        .until("refused", |view| view.bad_config.is_some())
        .await?;
    let ill = get(address, "/api/v1/health").await?;
    assert_eq!(ill.status, 503);
    description.check("/api/v1/health", &ill)?;
    let problem = &ill.json()?["problems"][0];
    assert!(problem.as_str().unwrap().contains("nonsense"), "{problem}");
    program.stop().await?;
    Ok(())
}

/// The next event: its name and its data.
async fn event(body: &mut hyper::body::Incoming, text: &mut String) -> Result<(String, Value)> {
    loop {
        if let Some((event, rest)) = text.clone().split_once("\n\n") {
            rest.clone_into(text);
            if event.starts_with(':') {
                continue;
            }
            let (name, data) = event.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            return Ok((name.to_owned(), serde_json::from_str(data)?));
        }
        let frame = timeout(PATIENCE, body.frame())
            .await?
            .ok_or("no more events")??;
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap())?);
    }
}

#[tokio::test]
async fn events_tell_of_readings_as_they_come() -> Result {
    let mut house = Head::new(&MeterConfig::default()).await?;
    let mut garage = Head::new(&MeterConfig {
        serial: Some(77),
        ..MeterConfig::default()
    })
    .await?;
    let table = house.table("house")? + &garage.table("garage")? + HTTP;
    let mut program = Program::start(&table)?;
    let address = client::address(&mut program).await?;
    house.send(1).await?;
    garage.send(1).await?;
    program.stored(2).await?;

    let path = format!("/api/v1/events?meter={}", compact(&house));
    let request = Request::get(path).body(Full::default())?;
    let response = timeout(PATIENCE, begin(address, request)).await??;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut body, mut text) = (response.into_body(), String::new());
    let mut last = i64::MIN;
    for sent in 2..=5 {
        let (name, reading) = event(&mut body, &mut text).await?;
        assert_eq!(name, "event: reading");
        assert_eq!(
            reading["server_id"],
            ServerId(house.server_id()).to_string()
        );
        let time = reading["time"].as_str().unwrap().to_owned();
        assert!(time.starts_with("2026-12-01T"), "{time} {TODAY}");
        garage.send(1).await?;
        let index = reading["seconds_index"].as_i64().unwrap();
        assert!(index > last, "{index} came again");
        last = index;
        house.send(1).await?;
        program.stored(2 * sent).await?;
    }
    // The program ends although somebody listens.
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn listeners_are_bounded() -> Result {
    let head = Head::new(&MeterConfig::default()).await?;
    let mut program = Program::start(&format!("{}{HTTP}", head.table("house")?))?;
    let address = client::address(&mut program).await?;
    let mut listening = Vec::new();
    for _ in 0..16 {
        let request = Request::get("/api/v1/events").body(Full::default())?;
        let response = timeout(PATIENCE, begin(address, request)).await??;
        assert_eq!(response.status(), 200);
        listening.push(response);
    }
    let refused = get(address, "/api/v1/events").await?;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.kind, "application/problem+json");
    program.stop().await?;
    Ok(())
}
