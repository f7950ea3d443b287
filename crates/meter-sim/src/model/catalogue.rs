//! The models that are built in.

use std::sync::{Arc, OnceLock};

use super::{Model, ModelError};

macro_rules! models {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../models/", $name, ".toml")))),*]
    };
}

/// Every model's name and file.
const FILES: &[(&str, &str)] = models![
    "dzg-dvs74",
    "dzg-dvs7420",
    "easymeter-q3a",
    "easymeter-q3m",
    "ebz-dd3",
    "efr-sgm",
    "emh-ed300l-new",
    "emh-ed300l-old",
    "emh-mme40",
    "holley-dtz541",
    "holley-dtz541-kermit",
    "iskra-mt175",
    "iskra-mt631",
    "iskra-mt691",
    "itron-openway-3hz",
    "landis-gyr-e320",
];

/// The names of all models, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The model of this name.
///
/// # Errors
/// [`ModelError::Unknown`], with the names there are. The other errors mean that a model file of
/// this crate is broken, which its tests would show.
pub fn find(name: &str) -> Result<Arc<Model>, ModelError> {
    static READ: OnceLock<Vec<OnceLock<Arc<Model>>>> = OnceLock::new();
    let read = READ.get_or_init(|| FILES.iter().map(|_| OnceLock::new()).collect());
    let found = FILES
        .iter()
        .zip(read)
        .find(|((known, _), _)| *known == name);
    let Some(((name, file), cell)) = found else {
        return Err(ModelError::Unknown {
            asked: name.to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
        });
    };
    if let Some(model) = cell.get() {
        return Ok(Arc::clone(model));
    }
    let model = Arc::new(parse(name, file)?);
    Ok(Arc::clone(cell.get_or_init(|| model)))
}

/// All models, in alphabetical order of their names.
///
/// # Errors
/// See [`find`].
pub fn all() -> Result<Vec<Arc<Model>>, ModelError> {
    names().map(find).collect()
}

fn parse(name: &'static str, file: &str) -> Result<Model, ModelError> {
    let mut model: Model =
        toml::from_str(file).map_err(|cause| ModelError::Syntax { name, cause })?;
    model.name = name;
    for entry in &model.entries {
        if !entry.value.is_octets() && entry.integer.is_none() {
            return Err(ModelError::TypeMissing {
                name,
                obis: entry.obis,
            });
        }
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::{FILES, all, find, parse};
    use crate::model::ModelError;

    #[test]
    fn every_model_file_is_read() -> Result<(), ModelError> {
        assert_eq!(all()?.len(), FILES.len());
        Ok(())
    }

    #[test]
    fn the_table_is_sorted_and_complete() -> Result<(), std::io::Error> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
        let mut files = Vec::new();
        for file in std::fs::read_dir(folder)? {
            files.push(file?.file_name().to_string_lossy().into_owned());
        }
        let names = files.iter().filter_map(|file| file.strip_suffix(".toml"));
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        assert_eq!(names, super::names().collect::<Vec<_>>());
        Ok(())
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = find("emh-mme41")
            .map(|_| ())
            .map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("emh-mme41") && text.contains("emh-mme40")));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let file = FILES[0].1.replace("interval-ms", "interval");
        assert!(matches!(parse("x", &file), Err(ModelError::Syntax { .. })));
    }
}
