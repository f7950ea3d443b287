//! Settings that cannot work are named with what to do.

use meter_gateway::output::volkszaehler::Config;

use super::middleware::{IMPORT, POWER};
use crate::stage::*;

fn complaint(channels: &[(&str, &str)], change: impl FnOnce(&mut Config)) -> String {
    let channels = channels
        .iter()
        .map(|(register, uuid)| ((*register).to_owned(), (*uuid).to_owned()));
    let mut config = Config::new("https://vz.example.org/middleware.php", channels.collect());
    change(&mut config);
    match config.validate() {
        Ok(()) => "no complaint".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn channels_are_registers_and_uuids() {
    let of = |channels: &[(&str, &str)]| complaint(channels, |_| ());
    assert_eq!(
        of(&[("1.8.0", IMPORT), ("1-1:16.7.0*255", POWER)]),
        "no complaint"
    );
    assert_says(&of(&[]), &["channels is empty"]);
    assert_says(
        &of(&[("1.8", IMPORT)]),
        &["`1.8` is no register", "1-0:1.8.0*255"],
    );
    for uuid in [
        "",
        "6836dd20",
        &IMPORT.replace('6', "g"),
        &IMPORT.replace('-', "/"),
    ] {
        assert_says(&of(&[("1.8.0", uuid)]), &["is no UUID", "1.8.0"]);
    }
    assert_says(
        &of(&[("1.8.0", IMPORT), ("1-0:1.8.0*255", POWER)]),
        &["1-0:1.8.0*255 is there twice"],
    );
    assert_says(
        &of(&[("1.8.0", IMPORT), ("16.7.0", &IMPORT.to_uppercase())]),
        &["is there twice"],
    );
}

#[test]
fn one_output_is_for_one_meter() -> Result {
    let meters = vec!["1EMH0012345678".parse()?, "1EMH0010599732".parse()?];
    let message = complaint(&[("1.8.0", IMPORT)], |config| {
        config.remote.delivery.meters = meters;
    });
    assert_says(&message, &["would mix", "an output for each"]);
    Ok(())
}

#[test]
fn the_url_is_that_of_the_middleware() {
    let of = |url: &str| {
        complaint(&[("1.8.0", IMPORT)], |config| {
            url.clone_into(&mut config.url);
        })
    };
    assert_says(&of("http://vz/middleware.php"), &["allow_insecure = true"]);
    assert_says(
        &of("https://vz/middleware.php?x=1"),
        &["must not hold a query"],
    );
    let lonely = |config: &mut Config| config.username = Some("me".to_owned());
    assert_says(
        &complaint(&[("1.8.0", IMPORT)], lonely),
        &["username needs password"],
    );
}
