//! As much of JSON Schema as the schema of this crate uses. An unknown keyword is an error, so that
//! nothing in the schema goes unchecked.

use serde_json::Value as Json;

/// What does not fit, as a path and a reason.
pub fn misfit(schema: &Json, value: &Json) -> Option<String> {
    let Json::Object(keywords) = schema else {
        return Some(format!("{schema} is no schema"));
    };
    keywords.iter().find_map(|(keyword, wanted)| {
        let fits = match keyword.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => types(wanted).iter().any(|name| is_a(value, name)),
            "enum" => wanted.as_array().is_some_and(|all| all.contains(value)),
            "minimum" => {
                value.is_null() || value.as_u64().is_some_and(|n| Some(n) >= wanted.as_u64())
            }
            "pattern" => value
                .as_str()
                .is_some_and(|text| matches_pattern(wanted, text)),
            "format" => *wanted == "date-time" && value.as_str().is_some_and(is_date_time),
            "required" => types(wanted).iter().all(|key| value.get(key).is_some()),
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Json::as_object);
                let keys = value.as_object().map(|object| object.keys());
                *wanted == false
                    && keys.is_some_and(|mut keys| {
                        keys.all(|key| known.is_some_and(|known| known.contains_key(key)))
                    })
            }
            "properties" => {
                return wanted.as_object()?.iter().find_map(|(key, schema)| {
                    let misfit = misfit(schema, value.get(key)?)?;
                    Some(format!("{key}: {misfit}"))
                });
            }
            "items" => {
                return value
                    .as_array()?
                    .iter()
                    .find_map(|item| misfit(wanted, item));
            }
            _ => return Some(format!("keyword {keyword} is not checked")),
        };
        (!fits).then(|| format!("{value} does not fit {keyword} {wanted}"))
    })
}

fn types(names: &Json) -> Vec<&str> {
    match names {
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    }
}

fn is_a(value: &Json, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

/// The two patterns of the schema.
fn matches_pattern(pattern: &Json, text: &str) -> bool {
    if *pattern == "^([0-9a-f]{2})*$" {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        text.len().is_multiple_of(2) && text.bytes().all(hex)
    } else {
        *pattern == r"^[0-9]+-[0-9]+:[0-9]+\.[0-9]+\.[0-9]+\*[0-9]+$"
            && text
                .parse::<meter_core::Obis>()
                .is_ok_and(|obis| obis.to_string() == text)
    }
}

fn is_date_time(text: &str) -> bool {
    let digits: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    digits == "0000-00-00T00:00:00.000Z"
}
