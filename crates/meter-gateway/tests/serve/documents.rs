//! What docs/http.md says is there.

use std::collections::BTreeSet;

use meter_core::ServerId;
use meter_sim::MeterConfig;

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

#[tokio::test]
async fn every_metric_and_address_of_the_document_is_there() -> Result {
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
    program.stop().await?;
    Ok(())
}
