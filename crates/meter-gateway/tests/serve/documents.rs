//! What docs/http.md says is there.

use std::collections::BTreeSet;

use meter_core::ServerId;
use meter_sim::MeterConfig;
use serde_json::Value;

use crate::bench::{Head, Program, Result};
use crate::client::{self, HTTP, get};

const DOCUMENT: &str = include_str!("../../../../docs/http.md");

/// The words that begin like a metric of ours.
fn metrics(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter| !is_part(letter));
    let ours = |word: &&str| {
        let begins = word.starts_with("smartmeter_") || word.starts_with("meterline_");
        begins && !word.ends_with('_')
    };
    words.filter(ours).collect()
}

/// Whether an answer has all that an example has, whatever the values.
fn shows(example: &Value, answer: &Value) -> bool {
    match (example, answer) {
        (Value::Object(example), Value::Object(answer)) => example
            .iter()
            .all(|(key, value)| answer.get(key).is_some_and(|there| shows(value, there))),
        (Value::Array(example), Value::Array(answer)) => {
            let mut pairs = example.iter().zip(answer);
            answer.len() >= example.len() && pairs.all(|(example, answer)| shows(example, answer))
        }
        (Value::Object(_) | Value::Array(_), _) => false,
        _ => true,
    }
}

#[tokio::test]
async fn every_metric_address_and_answer_of_the_document_is_there() -> Result {
    let mut head = Head::of("efr-sgm", &MeterConfig::default()).await?;
    // An output whose server is away has a backlog.
    let output =
        "[output.away]\ntype = \"rest\"\nurl = \"http://127.0.0.1:1/\"\nallow_insecure = true\n";
    let keys = "vzlogger = true\ntasmota = true\necotracker = true\nshelly = \"pro3em\"\n";
    let text = format!("{}{HTTP}{keys}{output}", head.table("house")?);
    let mut program = Program::start(&text)?;
    program.expect("refuses connections");
    let address = client::address(&mut program).await?;
    head.send(2).await?;
    program
        .until("a backlog", |view| {
            view.outputs
                .get("away")
                .is_some_and(|output| output.oldest.is_some())
        })
        .await?;

    let page = get(address, "/metrics").await?.body;
    let (there, told) = (metrics(&page), metrics(DOCUMENT));
    assert!(told.len() > 12, "{told:?}");
    let missing: Vec<_> = told.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?}\n{page}");

    let meter = ServerId(head.server_id()).meter_id().compact().to_string();
    let quoted = DOCUMENT.split('`').skip(1).step_by(2);
    let paths: BTreeSet<_> = quoted.filter(|quoted| quoted.starts_with('/')).collect();
    assert!(paths.len() > 8, "{paths:?}");
    for path in paths {
        // These stand for others.
        if [
            "/rpc",
            "/<uuid>",
            "/rpc/METHOD",
            "/api/v1/",
            "/api/v1/events",
        ]
        .contains(&path)
        {
            continue;
        }
        let path = path.replace("1EMH0010599732", &meter).replace(' ', "%20");
        let answer = get(address, &path).await?;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    for (part, path) in [
        ("\"fresh\"", format!("/api/v1/meters/{meter}/latest")),
        ("\"generator\"", "/".to_owned()),
        ("\"StatusSNS\"", "/cm?cmnd=status%2010".to_owned()),
        ("\"agePower\"", "/v1/json".to_owned()),
        ("\"a_act_power\"", "/rpc/EM.GetStatus?id=0".to_owned()),
    ] {
        let mut examples = DOCUMENT.split("```json\n").skip(1);
        let example =
            examples.find(|rest| rest.split("```").next().is_some_and(|it| it.contains(part)));
        let example = example.and_then(|rest| rest.split("```").next());
        let example = serde_json::from_str(example.ok_or(path.clone())?)?;
        let answer = serde_json::from_str(&get(address, &path).await?.body)?;
        assert!(shows(&example, &answer), "{path}: {answer}");
    }
    program.stop().await?;
    Ok(())
}
