use super::refused;

fn rest(keys: &str) -> String {
    format!(r#"{{"output":{{"rest":{{{keys}}}}}}}"#)
}

fn mqtt(keys: &str) -> String {
    format!(r#"{{"output":{{"mqtt":{{{keys}}}}}}}"#)
}

#[test]
fn refuses_what_would_not_work() {
    let name =
        "name: must have 1 to 32 letters, digits and `-`, and neither begin nor end with `-`";
    let password = "wifi.password: the password of Wi-Fi 1 must have 8 to 63 characters of ASCII, or 64 hexadecimal digits; leave it out for an open network";
    for (json, said) in [
        (r#"{"name":""}"#.to_owned(), name),
        (r#"{"name":"-a"}"#.to_owned(), name),
        (r#"{"name":"my meter"}"#.to_owned(), name),
        (
            r#"{"wifi":[{"ssid":""}]}"#.to_owned(),
            "wifi.ssid: the name of Wi-Fi 1 is empty",
        ),
        (
            r#"{"wifi":[{"ssid":"a"},{"ssid":"a"}]}"#.to_owned(),
            "wifi.ssid: Wi-Fi 2 stands there before: leave one out",
        ),
        (
            r#"{"wifi":[{"ssid":"a","password":"short"}]}"#.to_owned(),
            password,
        ),
        (
            r#"{"wifi":[{"ssid":"a","password":"pässword"}]}"#.to_owned(),
            password,
        ),
        (
            format!(
                r#"{{"wifi":[{{"ssid":"a","password":"{}"}}]}}"#,
                "g".repeat(64)
            ),
            password,
        ),
        (
            r#"{"wifi":[{"ssid":"a","password":"***"}]}"#.to_owned(),
            "wifi.password: `***` stands there instead of the secret: write the secret itself",
        ),
        (
            r#"{"interval":"61m"}"#.to_owned(),
            "interval: must be \"1h\" at most",
        ),
        (
            r#"{"time":{"servers":[]}}"#.to_owned(),
            "time.servers: there must be one at least: without the time no certificate can be checked",
        ),
        (
            r#"{"time":{"servers":["a","ntp://b"]}}"#.to_owned(),
            "time.servers: time server 2 must be HOST or HOST:PORT",
        ),
        (
            r#"{"display":{"utc_offset_minutes":900}}"#.to_owned(),
            "display.utc_offset_minutes: must be from -720 to 840",
        ),
        (
            r#"{"guard":{"max_power":0}}"#.to_owned(),
            "guard.max_power: must be the highest power in W that the fuses allow, more than 0; to refuse nothing set enabled = false",
        ),
    ] {
        assert_eq!(refused(&json), said, "{json}");
    }
}

#[test]
fn what_does_not_fit_into_the_flash_is_refused() {
    use base64::Engine;
    use meter_device::settings::Authority;
    let mut der = vec![0x30; Authority::BYTES];
    der[1..4].copy_from_slice(&[0x82, 0x07, 0xfc]);
    let ca = base64::engine::general_purpose::STANDARD.encode(&der);
    let url = format!("https://h/{}", "x".repeat(240));
    let json = rest(&format!(r#""url":"{url}","ca":"{ca}""#));
    super::settings(&json);
    // Each quote of these takes two bytes.
    let quotes = "\\\"".repeat(60);
    let wifi = |name: &str| {
        format!(
            r#"{{"ssid":"{name}{}","password":"{quotes}"}}"#,
            "\\\"".repeat(31)
        )
    };
    let wifi = ["a", "b", "c", "d"].map(wifi).join(",");
    let json = json.replacen('{', &format!(r#"{{"wifi":[{wifi}],"#), 1);
    assert_eq!(
        refused(&json),
        "the settings have 4148 bytes, and 4000 fit: most of it is the certificate, so use a smaller one"
    );
}

#[test]
fn refuses_outputs_that_would_not_work() {
    let insecure = "output.url: must begin with https://, or set allow_insecure = true if everybody on the way may read and change the readings";
    let topic = "output.topic: must be a topic without `+`, `#` and control characters; {meter} in it stands for the meter's id, other braces for nothing";
    for (json, said) in [
        (
            rest(r#""url":"ftp://h""#),
            "output.url: the URL has to begin with https://, as in https://HOST/api/v1/TOKEN/telemetry",
        ),
        (rest(r#""url":"http://h/x""#), insecure),
        (
            rest(r#""url":"https:///x""#),
            "output.url: the URL names no server: write it behind https://",
        ),
        (
            rest(r#""url":"https://u:p@h/x""#),
            "output.url: the URL holds a user name: leave it out and set `authorization` instead",
        ),
        (
            rest(r#""url":"https://h/a b""#),
            "output.url: the path in the URL holds a space or a letter that is not ASCII: escape it, as in %20",
        ),
        (
            rest(r#""url":"https://h/***""#),
            "output.url: `***` stands there instead of the secret: write the secret itself",
        ),
        (
            rest(r#""url":"https://h","authorization":"a\r\nb""#),
            "output.authorization: must be the value of the header in ASCII, such as \"Bearer TOKEN\"",
        ),
        (
            mqtt(r#""host":"mqtts://h""#),
            "output.host: must be a name or address alone; the port has a key of its own",
        ),
        (
            mqtt(r#""host":"h","port":0"#),
            "output.port: must be from 1 to 65535",
        ),
        (
            mqtt(r#""host":"h","password":"p""#),
            "output.password: needs user beside it",
        ),
        (
            mqtt(r#""host":"h","user":"""#),
            "output.user: is empty: leave it out, or fill it in",
        ),
        (mqtt(r#""host":"h","topic":"a/#""#), topic),
        (mqtt(r#""host":"h","topic":"a/{node}""#), topic),
        (
            mqtt(r#""host":"h","format":"classic","discovery":true"#),
            "output.discovery: needs format = \"json\"",
        ),
    ] {
        assert_eq!(refused(&json), said, "{json}");
    }
}
