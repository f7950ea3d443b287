//! The bridge's list of its radio nodes.

use serde_json::Value;

/// Node numbers and EUIs wherever they stand in `nodes.json`: its shape differs by firmware, a list
/// of objects or an object that holds one. Nodes that are not available come last.
pub(super) fn nodes_of(json: &Value) -> Vec<(u32, Option<String>)> {
    let list = match json {
        Value::Array(list) => list.as_slice(),
        Value::Object(fields) => fields
            .values()
            .find_map(Value::as_array)
            .map_or(&[][..], Vec::as_slice),
        _ => &[],
    };
    let mut nodes: Vec<_> = list
        .iter()
        .filter_map(|node| {
            let id = ["node_id", "id"]
                .iter()
                .find_map(|key| node.get(key)?.as_u64())?;
            let eui = node.get("eui").and_then(Value::as_str).map(str::to_owned);
            let available = node.get("available").and_then(Value::as_bool) != Some(false);
            Some((!available, u32::try_from(id).ok()?, eui))
        })
        .collect();
    nodes.sort_by_key(|(absent, _, _)| *absent);
    nodes.into_iter().map(|(_, id, eui)| (id, eui)).collect()
}

/// EUIs are written with and without separators, in either case.
pub(super) fn same_eui(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let digits = text.chars().filter(char::is_ascii_alphanumeric);
        digits.collect::<String>().to_ascii_lowercase()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_are_found_in_any_shape_of_the_page() {
        let list = json!([
            {"node_id": 1, "eui": "aa", "available": false},
            {"node_id": 3, "eui": "bb", "available": true},
            {"node_id": 5},
            {"eui": "cc"},
        ]);
        let wanted = vec![
            (3, Some("bb".to_owned())),
            (5, None),
            (1, Some("aa".to_owned())),
        ];
        assert_eq!(nodes_of(&list), wanted);
        assert_eq!(
            nodes_of(&json!({"count": 1, "nodes": [{"id": 2}]})),
            vec![(2, None)]
        );
        assert_eq!(nodes_of(&json!("nothing")), vec![]);
    }

    #[test]
    fn euis_are_the_same_however_they_are_written() {
        assert!(same_eui("1A:2B:3C", "1a2b3c"));
        assert!(!same_eui("1a2b3c", "1a2b3d"));
    }
}
