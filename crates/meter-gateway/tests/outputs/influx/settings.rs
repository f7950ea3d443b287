//! Settings that cannot work are named with what to do.

use meter_gateway::config::Secret;
use meter_gateway::output::influx::{Config, Version};

use crate::stage::*;

fn complaint(version: Version, change: impl FnOnce(&mut Config)) -> String {
    let mut config = Config::new("https://localhost:8086", version);
    if version == Version::V2 {
        (config.org, config.bucket) = (Some("home".to_owned()), Some("power".to_owned()));
    } else {
        config.database = Some("power".to_owned());
    }
    change(&mut config);
    match config.validate() {
        Ok(()) => "no complaint".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn keys_go_with_versions() {
    for version in [Version::V1, Version::V2, Version::V3] {
        assert_eq!(complaint(version, |_| ()), "no complaint");
    }
    let text = || Some("x".to_owned());
    assert_eq!(
        complaint(Version::V1, |config| config.database = None),
        "version = \"v1\" needs the key database"
    );
    assert_eq!(
        complaint(Version::V2, |config| config.org = None),
        "version = \"v2\" needs the key org"
    );
    assert_eq!(
        complaint(Version::V2, |config| config.database = text()),
        "database does not go with version = \"v2\", whose own keys are org, bucket, token"
    );
    assert_eq!(
        complaint(Version::V3, |config| config.username = text()),
        "username does not go with version = \"v3\", whose own keys are database, token"
    );
    assert_eq!(
        complaint(Version::V1, |config| config.username = text()),
        "username needs password beside it"
    );
    let broken = |config: &mut Config| config.token = Some(Secret::literal("a\nb"));
    assert_says(
        &complaint(Version::V3, broken),
        &["the token has characters"],
    );
}

#[test]
fn names_fit_into_a_line() {
    for measurement in ["", "#mains", "a\\", "a\nb"] {
        let message = complaint(Version::V1, |config| {
            measurement.clone_into(&mut config.measurement);
        });
        assert_says(&message, &["the measurement", "cannot be written"]);
    }
    for (key, value, words) in [
        ("meter", "x", "taken"),
        ("time", "x", "taken"),
        ("site", "", "empty"),
        ("si\\te", "x", "backslash"),
    ] {
        let message = complaint(Version::V1, |config| {
            config.tags.insert(key.to_owned(), value.to_owned());
        });
        assert_says(&message, &["the tag", key, words]);
    }
    let fine = |config: &mut Config| {
        config.measurement = "mains, house".to_owned();
        config
            .tags
            .insert("Straße".to_owned(), "am Ring = 3".to_owned());
    };
    assert_eq!(complaint(Version::V1, fine), "no complaint");
}

#[test]
fn the_url_is_that_of_the_server() {
    let complaint = |url: &str| complaint(Version::V1, |config| url.clone_into(&mut config.url));
    assert_says(&complaint("http://influx:8086"), &["allow_insecure = true"]);
    assert_says(&complaint("influx:8086"), &["https://HOST"]);
    assert_says(
        &complaint("https://influx/?db=x"),
        &["must not hold a query"],
    );
    assert_says(
        &complaint("https://me:pw@influx"),
        &["keys username and password"],
    );
}
