//! The device's settings from a TOML file.

use std::path::Path;
use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meter_device::settings::{JSON_BYTES, Settings};
use meter_gateway::config::{self, Document, Faults, Given, Secret};
use meter_gateway::tls;

use crate::failure::Failure;

/// Reads and checks a file. Gives the JSON that the device takes, on one line.
pub fn load(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let settings = parse(&path.display().to_string(), &text)
        .map_err(|faults| Failure::Configuration(config::Error::Faults(faults)))?;
    let mut buffer = [0; JSON_BYTES];
    // What was checked fits.
    Ok(settings.to_json(&mut buffer).unwrap_or_default().to_owned())
}

/// Reads and checks the text of a file that is called `name` in what is said about it.
fn parse(name: &str, text: &str) -> Result<Settings, Faults> {
    let mut document = Document::parse(name, text)?;
    document.replace(resolve)?;
    let settings: Settings = document.read()?;
    settings.check().map_err(|mistake| {
        let path: Vec<&str> = mistake.key().split('.').collect();
        document.refuse(&path, mistake.to_string())
    })?;
    Ok(settings)
}

/// Puts secrets and certificates in the place of where they are.
fn resolve(path: &[&str], text: &str) -> Result<Given, String> {
    let is_secret = matches!(
        path,
        ["wifi", "password"] | ["output", .., "url" | "authorization" | "user" | "password"]
    );
    match path {
        _ if is_secret && !text.is_empty() => {
            let secret = Secret::from_str(text).map_err(|error| error.to_string())?;
            Ok(Given::Text(secret.expose().to_owned()))
        }
        ["output", .., "ca_file"] => Ok(Given::Under("ca", authority(Path::new(text))?)),
        _ => Ok(Given::Kept),
    }
}

/// The one certificate in a PEM file, as the device takes it.
fn authority(path: &Path) -> Result<String, String> {
    let found = tls::authorities(path).map_err(|error| error.to_string())?;
    match &found[..] {
        [der] => {
            meter_device::settings::Authority::new(der).map_err(|error| error.to_string())?;
            Ok(STANDARD.encode(der))
        }
        several => Err(format!(
            "{} holds {} certificates, and the device takes one: leave only that of the authority in it",
            path.display(),
            several.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use meter_device::settings::{Output, Seconds};

    use super::*;
    use crate::device::example::EXAMPLE;

    fn faults(text: &str) -> String {
        parse("d.toml", text).map_or_else(|faults| faults.to_string(), |_| String::new())
    }

    #[test]
    fn the_example_is_right_and_shows_every_default() -> Result<(), Box<dyn Error>> {
        let as_it_is = parse("example", EXAMPLE)?;
        assert!(matches!(as_it_is.output, Some(Output::Rest(_))));
        // Of the keys that are commented out, most stand at their default.
        let mut whole = String::new();
        for line in EXAMPLE.lines() {
            let key = line.strip_prefix('#').filter(|line| !line.starts_with(' '));
            whole += key.unwrap_or(line);
            whole += "\n";
        }
        let whole = whole.replace("ca_file = \"ca.pem\"\n", "");
        let mut whole = parse("whole", &whole)?;
        let Some(Output::Rest(rest)) = &mut whole.output else {
            return Err("another output".into());
        };
        assert!(rest.authorization.take().is_some());
        assert_eq!(whole, as_it_is);
        Ok(())
    }

    #[test]
    fn documented_settings_are_right() -> Result<(), Box<dyn Error>> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/device-settings.md");
        let page = std::fs::read_to_string(page)?;
        let blocks = page.split("\n```toml\n").skip(1);
        let blocks: Vec<_> = blocks
            .filter_map(|rest| rest.split("\n```").next())
            .collect();
        assert!(blocks.len() > 1);
        for block in &blocks {
            parse("docs/device-settings.md", block)?;
        }
        assert!(
            blocks.contains(&EXAMPLE.trim_end()),
            "the example has changed"
        );
        Ok(())
    }

    #[test]
    fn faults_have_a_place() {
        for (text, said) in [
            (
                "[[wifi]]\nsssid = \"a\"\n",
                "d.toml:2:1: unknown key `sssid` in [wifi]: did you mean `ssid`?",
            ),
            (
                "interval = \"10 minutes\"\n",
                "d.toml:1:12: a time belongs here: write for example \"10s\", \"5m\" or \"1h30m\"",
            ),
            (
                "name = \"my meter\"\n",
                "d.toml:1:8: name: must have 1 to 32 letters, digits and `-`, and neither begin nor end with `-`",
            ),
            (
                "[output]\ntype = \"rest\"\nurl = \"http://h/hunter2\"\n",
                "d.toml:3:7: output.url: must begin with https://",
            ),
            (
                "[output]\ntype = \"mqtt\"\n",
                "d.toml:1:1: the key `host` is missing in [output]",
            ),
            (
                "[[wifi]]\nssid = \"a\"\npassword = \"env:METERLINE_NO_SUCH\"\n",
                "d.toml:3:12: the environment variable METERLINE_NO_SUCH is not set",
            ),
            (
                "[output]\ntype = \"rest\"\nurl = \"https://h\"\nca_file = \"/nonexistent/ca.pem\"\n",
                "d.toml:4:11: ",
            ),
        ] {
            let faults = faults(text);
            assert!(faults.starts_with(said), "{faults}");
            assert!(!faults.contains("hunter2"), "{faults}");
        }
    }

    #[test]
    fn reads_what_the_device_reads() -> Result<(), Box<dyn Error>> {
        let settings = parse(
            "d.toml",
            "interval = \"1m\"\n[[wifi]]\nssid = \"a\"\npassword = \"env:CARGO_PKG_NAME\"\n",
        )?;
        assert_eq!(settings.interval, Seconds(60));
        let password = settings.wifi.first().map(|wifi| wifi.password.expose());
        assert_eq!(password, Some("meterline"));
        Ok(())
    }
}
