//! Which simulated meter is meant, and what happens on its line.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use meter_sim::{Faults, Model, model};

/// The serial number of the meter at `index`: two of one model need two, the first has its model's.
pub fn serial(models: &[Arc<Model>], index: usize) -> Option<u32> {
    let (before, rest) = models.split_at_checked(index)?;
    let name = rest.first()?.name;
    let twins = before.iter().filter(|other| other.name == name).count();
    let twins = u32::try_from(twins).ok().filter(|twins| *twins > 0)?;
    Some(20_000_000 + twins)
}

/// The model that a person means: by its name, by a whole word of it, or by any part of it that only
/// one model has.
pub fn find(asked: &str) -> Result<Arc<Model>, String> {
    let wanted = asked.to_ascii_lowercase();
    let is_meant: [&dyn Fn(&str) -> bool; 3] = [
        &|name| name == wanted,
        &|name| name.split('-').any(|word| word == wanted),
        &|name| name.contains(&wanted),
    ];
    let matching = is_meant
        .into_iter()
        .map(|is_meant| model::names().filter(|name| is_meant(name)).collect());
    let matching: Vec<&str> = matching
        .into_iter()
        .find(|found: &Vec<_>| !found.is_empty())
        .unwrap_or_default();
    match matching.as_slice() {
        [one] => model::find(one).map_err(|error| error.to_string()),
        [] => {
            let known = model::names().collect::<Vec<_>>().join(", ");
            Err(format!("there is no model `{asked}`; there are {known}"))
        }
        several => Err(format!("`{asked}` may mean {}", several.join(" or "))),
    }
}

/// Faults as they are written on the command line: `none`, `poor`, or `flipped=0.001,cut=0.1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultsArgument(pub Faults);

impl FromStr for FaultsArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Faults::NONE;
        for part in text.split(',') {
            match part.split_once('=') {
                None if part == "none" => faults = Faults::NONE,
                None if part == "poor" => faults = Faults::POOR,
                None if part == "echo" => faults.echo = true,
                None => {
                    return Err(format!(
                        "`{part}` is not none, poor, echo or NAME=PROBABILITY"
                    ));
                }
                Some(("silence-for", value)) => {
                    let seconds: u32 = value
                        .parse()
                        .map_err(|_| "silence-for wants whole seconds")?;
                    faults.silence_for = Duration::from_secs(seconds.into());
                }
                Some((name, value)) => *probability(&mut faults, name)? = chance(value)?,
            }
        }
        Ok(Self(faults))
    }
}

fn probability<'f>(faults: &'f mut Faults, name: &str) -> Result<&'f mut f64, String> {
    Ok(match name {
        "noise-between" => &mut faults.noise_between,
        "noise-inside" => &mut faults.noise_inside,
        "lost" => &mut faults.lost,
        "doubled" => &mut faults.doubled,
        "flipped" => &mut faults.flipped,
        "cut" => &mut faults.cut,
        "silence" => &mut faults.silence,
        _ => {
            return Err(format!(
                "there is no fault `{name}`; there are noise-between, noise-inside, lost, doubled, \
                 flipped, cut, silence"
            ));
        }
    })
}

fn chance(text: &str) -> Result<f64, String> {
    let value: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a number"))?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err("a probability is from 0 to 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use meter_sim::Faults;

    use super::{FaultsArgument, find};

    #[test]
    fn a_part_of_the_name_is_enough_when_only_one_model_has_it() {
        assert_eq!(find("dvs74").map(|model| model.name), Ok("dzg-dvs74"));
        assert_eq!(find("q3a").map(|model| model.name), Ok("easymeter-q3a"));
        assert_eq!(
            find("Holley-DTZ541").map(|model| model.name),
            Ok("holley-dtz541")
        );
        assert!(find("iskra").is_err_and(|error| error.contains("iskra-mt175 or iskra-mt631")));
        assert!(find("x").is_err_and(|error| error.contains("emh-mme40")));
    }

    #[test]
    fn faults_are_read() {
        assert_eq!("none".parse(), Ok(FaultsArgument(Faults::NONE)));
        let expected = Faults {
            cut: 0.5,
            echo: true,
            ..Faults::POOR
        };
        assert_eq!("poor,cut=0.5,echo".parse(), Ok(FaultsArgument(expected)));
        for wrong in ["bad", "cut=2", "cut=x", "cat=0.1"] {
            assert!(wrong.parse::<FaultsArgument>().is_err(), "{wrong}");
        }
    }
}
