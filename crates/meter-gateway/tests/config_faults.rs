//! What is said about a bad configuration file, to the letter.

use std::io::Write;

use meter_gateway::config::Config;

/// The faults of a file that begins with a good input and a good output.
fn faults(text: &str) -> String {
    match Config::parse("meterline.toml", text) {
        Ok(config) => format!("nothing is wrong: {config:#?}"),
        Err(faults) => faults.to_string(),
    }
}

#[track_caller]
fn says(text: &str, expected: &[&str]) {
    assert_eq!(faults(text), expected.join("\n"));
}

#[test]
fn a_misspelt_table() {
    says(
        "[inputs.house]\ntype = \"serial\"\n",
        &[
            "meterline.toml:1:2: unknown key `inputs`: did you mean `input`?",
            "  |",
            "1 | [inputs.house]",
            "  |  ^^^^^^",
        ],
    );
}

#[test]
fn a_misspelt_key() {
    says(
        "[output.backend]\ntype = \"rest\"\nurl = \"https://example.org/\"\nbatchsize = 10\n",
        &[
            "meterline.toml:4:1: unknown key `batchsize` in [output.backend]: did you mean `batch_size`?",
            "  |",
            "4 | batchsize = …",
            "  | ^^^^^^^^^",
        ],
    );
}

#[test]
fn a_kind_that_does_not_exist() {
    says(
        "[input.house]\ntype = \"usb\"\n",
        &[
            "meterline.toml:2:8: `usb` is not allowed here: allowed are `serial`, `tcp`, `http`, `mqtt`, `file`",
            "  |",
            "2 | type = \"usb\"",
            "  |        ^^^^^",
        ],
    );
}

#[test]
fn a_kind_that_is_missing() {
    says(
        "[input.house]\nport = \"auto\"\n",
        &[
            "meterline.toml:1:1: the key `type` is missing in [input.house] (one of `serial`, `tcp`, `http`, `mqtt`, `file`)",
            "  |",
            "1 | [input.house]",
            "  | ^^^^^^^^^^^^^",
        ],
    );
}

#[test]
fn durations_sizes_and_numbers() {
    says(
        "[input.house]\ntype = \"serial\"\ninterval = 10\nbaud = \"9600\"\nparity = \"evn\"\n\
         [journal]\nmax_age = \"1 month\"\nmax_size = \"1\"\n[guard]\nmax_power = -1\n",
        &[
            "meterline.toml:3:12: a text in quotes belongs here, but this is a number",
            "  |",
            "3 | interval = 10",
            "  |            ^^",
            "",
            "meterline.toml:4:8: a whole number from 0 to 4294967295 belongs here, but this is a text",
            "  |",
            "4 | baud = \"9600\"",
            "  |        ^^^^^^",
            "",
            "meterline.toml:5:10: `evn` is not allowed here: did you mean `even`?",
            "  |",
            "5 | parity = \"evn\"",
            "  |          ^^^^^",
            "",
            "meterline.toml:7:11: `month` is no unit of time (units: ms, s, m, h, d, w; for example \"1h30m\")",
            "  |",
            "7 | max_age = \"1 month\"",
            "  |           ^^^^^^^^^",
            "",
            "meterline.toml:8:12: a unit is missing after 1: write for example \"1 MiB\" (units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB)",
            "  |",
            "8 | max_size = \"1\"",
            "  |            ^^^",
            "",
            "meterline.toml:10:13: this number does not fit: a whole number from 0 to 4294967295 belongs here",
            "   |",
            "10 | max_power = -1",
            "   |             ^^",
        ],
    );
}

/// What no type can say is told beside what does not fit its type, unless it may be but the consequence.
#[test]
fn everything_at_once() {
    let text = faults(
        "[output.database]\ntype = \"postgres\"\nurl = \"postgres://me:hunter2@db/meters\"\nbatchsize = 10\n\
         [output.history]\ntype = \"influx\"\nurl = \"https://db.example.org\"\nversion = \"v1\"\n\
         [output.other]\ntype = \"influx\"\nurl = \"https://db.example.org\"\nversion = \"v1\"\ndatabase = 3\n\
         [http]\nlisten = 8080\n",
    );
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("meterline.toml"))
        .collect();
    assert_eq!(
        lines,
        [
            "meterline.toml:3:7: url must not hold a user name or password: use the keys username and password",
            "meterline.toml:4:1: unknown key `batchsize` in [output.database]: did you mean `batch_size`?",
            "meterline.toml:8:11: version = \"v1\" needs the key database",
            "meterline.toml:13:12: a text in quotes belongs here, but this is a number",
            "meterline.toml:15:10: a text in quotes belongs here, but this is a number",
        ]
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn bad_urls() {
    let text = faults(
        "[output.a]\ntype = \"rest\"\nurl = \"example.org\"\n\
         [output.b]\ntype = \"rest\"\nurl = \"http://example.org/ACCESSTOKEN\"\n\
         [output.c]\ntype = \"rest\"\n",
    );
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("meterline.toml"))
        .collect();
    assert_eq!(
        lines,
        [
            "meterline.toml:3:7: url must look like https://HOST/PATH",
            "meterline.toml:6:7: http://example.org/… is not encrypted, so anybody on the way can read \
             and change the readings: use https://, or set allow_insecure = true if that is acceptable",
            "meterline.toml:7:1: the key `url` is missing in [output.c]",
        ]
    );
    assert!(!text.contains("ACCESSTOKEN"), "{text}");
}

#[test]
fn a_misspelt_variable_of_a_template() {
    let variables =
        "meter_id, meter, server_id, time, time_ms, seconds_index, values, registers, readings";
    says(
        "[output.a]\ntype = \"rest\"\nurl = \"https://example.org/\"\nformat = \"template\"\n\
         template = \"{{ reading }}\"\n",
        &[
            &format!(
                "meterline.toml:5:12: the template uses `reading`, which there is not: there are {variables}"
            ),
            "  |",
            "5 | template = \"{{ reading }}\"",
            "  |            ^^^^^^^^^^^^^^^",
        ],
    );
}

#[test]
fn what_is_missing_is_no_fault_but_is_said() {
    let gaps = |text: &str| Config::parse("meterline.toml", text).map(|config| config.gaps().len());
    let output = "[output.a]\ntype = \"rest\"\nurl = \"https://example.org/\"\n";
    assert_eq!(gaps(""), Ok(2));
    assert_eq!(gaps(output), Ok(1));
    let input = "[input.a]\ntype = \"serial\"\nport = \"auto\"\n";
    assert_eq!(gaps(&format!("{input}{output}")), Ok(0));
    // Those who only want to be asked have no output.
    assert_eq!(gaps(&format!("{input}[http]\n")), Ok(0));
    let mute = "[http]\nmetrics = false\napi = false\n";
    assert_eq!(gaps(&format!("{input}{output}{mute}")), Ok(1));
}

#[test]
fn an_output_that_is_there_twice_is_said() -> Result<(), Box<dyn std::error::Error>> {
    let output = |name, meters| {
        format!(
            "[output.{name}]\ntype = \"rest\"\nurl = \"https://example.org/\"\nmeters = [{meters}]\n"
        )
    };
    let input = "[input.a]\ntype = \"serial\"\n";
    let gaps = |first, second| -> Result<_, Box<dyn std::error::Error>> {
        let text = format!("{input}{}{}", output("a", first), output("b", second));
        Ok(Config::parse("meterline.toml", &text)?.gaps())
    };
    let one = "\"1 EMH00 1059 9732\"";
    assert_eq!(gaps("", one)?, Vec::<String>::new());
    assert_eq!(
        gaps(one, one)?,
        ["[output.b] is the same as [output.a], so every reading is sent there twice"]
    );
    Ok(())
}

#[test]
fn an_input_without_a_name() {
    says(
        "[input]\ntype = \"serial\"\nport = \"auto\"\n\n[[output]]\ntype = \"rest\"\n",
        &[
            "meterline.toml:2:1: each input has a name: write for example [input.house], and its keys below that",
            "  |",
            "2 | type = \"serial\"",
            "  | ^^^^",
            "",
            "meterline.toml:5:3: each output has a name: write for example [output.house], and its keys below that",
            "  |",
            "5 | [[output]]",
            "  |   ^^^^^^",
        ],
    );
}

#[test]
fn a_port_that_two_inputs_read() {
    let input = |name, port| format!("[input.{name}]\ntype = \"serial\"\nport = \"{port}\"\n");
    says(
        &format!(
            "{}{}{}",
            input("a", "auto"),
            input("b", "/dev/ttyUSB0"),
            input("c", "/dev/ttyUSB0")
        ),
        &[
            "meterline.toml:9:8: this port is already read by [input.b]",
            "  |",
            "9 | port = \"/dev/ttyUSB0\"",
            "  |        ^^^^^^^^^^^^^^",
        ],
    );
    let two = format!("{}{}", input("a", "auto"), input("b", "auto"));
    assert!(Config::parse("meterline.toml", &two).is_ok());
}

#[test]
fn numbers_that_mean_nothing() {
    says(
        "[input.a]\ntype = \"serial\"\nbaud = 0\n[output.a]\ntype = \"rest\"\nurl = \"https://example.org/\"\nbatch_size = 0\n",
        &[
            "meterline.toml:3:8: 0 is no speed: meters send at 9600",
            "  |",
            "3 | baud = 0",
            "  |        ^",
            "",
            "meterline.toml:7:14: this number does not fit: a whole number from 1 to 4294967295 belongs here",
            "  |",
            "7 | batch_size = 0",
            "  |              ^",
        ],
    );
}

#[test]
fn a_secret_that_is_not_there() {
    says(
        "[output.a]\ntype = \"rest\"\nurl = \"https://example.org/{token}\"\ntoken = \"file:/nonexistent/token\"\n",
        &[
            "meterline.toml:4:9: the secret cannot be read from /nonexistent/token: No such file or directory (os error 2)",
            "  |",
            "4 | token = …",
            "  |         ^",
        ],
    );
}

#[test]
fn names_paths_and_standard_input() {
    says(
        "state_dir = \"state\"\n[input.\"my house\"]\ntype = \"serial\"\n\
         [input.a]\ntype = \"file\"\npath = \"-\"\n[input.b]\ntype = \"file\"\npath = \"-\"\n",
        &[
            "meterline.toml:1:13: state_dir must be an absolute path, so that it does not depend on where the program is started",
            "  |",
            "1 | state_dir = \"state\"",
            "  |             ^^^^^^^",
            "",
            "meterline.toml:2:1: `my house` is no name: use letters, digits, `-` and `_`, 64 at most",
            "  |",
            "2 | [input.\"my house\"]",
            "  | ^^^^^^^^^^^^^^^^^^",
            "",
            "meterline.toml:9:8: standard input is already read by [input.a]",
            "  |",
            "9 | path = \"-\"",
            "  |        ^^^",
        ],
    );
}

#[test]
fn text_that_is_no_toml() {
    says(
        "[input.house]\ntype = serial\n",
        &[
            "meterline.toml:2:8: string values must be quoted, expected literal string",
            "  |",
            "2 | type = …",
            "  |        ^",
        ],
    );
}

#[test]
fn an_empty_file_is_a_configuration() {
    assert_eq!(
        Config::parse("meterline.toml", "").ok(),
        Some(Config::default())
    );
}

#[test]
fn a_debug_print_shows_no_secret() -> Result<(), Box<dyn std::error::Error>> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(b"hunter2")?;
    let text = format!(
        "[output.a]\ntype = \"rest\"\nurl = \"https://example.org/{{token}}\"\ntoken = \"file:{}\"\n\
         headers = {{ Authorization = \"hunter2\" }}\n",
        file.path().display()
    );
    let shown = format!("{:?}", Config::parse("meterline.toml", &text)?);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("file:"), "{shown}");
    Ok(())
}

#[test]
fn spans_that_would_keep_it_busy_with_nothing() {
    says(
        "[input.house]\ntype = \"tcp\"\naddress = \"cellar:3333\"\nsilence = \"0s\"\n",
        &[
            "meterline.toml:4:11: \"0s\" is too short: \"1s\" at the least",
            "  |",
            "4 | silence = \"0s\"",
            "  |           ^^^^",
        ],
    );
    for (key, least) in [
        ("timeout", "1s"),
        ("recheck", "1s"),
        ("retry_first", "100ms"),
        ("retry_max", "100ms"),
    ] {
        let text = format!(
            "[output.backend]\ntype = \"rest\"\nurl = \"https://example.org/\"\n{key} = \"0s\"\n"
        );
        let said = faults(&text);
        assert!(
            said.contains(&format!("\"{least}\" at the least")),
            "{said}"
        );
    }
}

#[test]
fn what_is_sent_of_a_reading() {
    let output = |keys: &str| {
        format!("[output.a]\ntype = \"csv\"\ndirectory = \"/var/lib/meterline\"\n{keys}\n")
    };
    says(
        &output("registers = [\"1.8\"]"),
        &[
            "meterline.toml:4:13: `1.8` is not a pattern of OBIS codes: write it as 16.7.0, 1.8.* or 1-0:*.7.0*255, each number at most 255",
            "  |",
            "4 | registers = [\"1.8\"]",
            "  |             ^^^^^^^",
        ],
    );
    says(
        &output("rename = { \"1.8.*\" = \"import\" }"),
        &[
            "meterline.toml:4:10: rename: `1.8.*` may be several registers: write all of the code, without `*`",
            "  |",
            "4 | rename = { \"1.8.*\" = \"import\" }",
            "  |          ^^^^^^^^^^^^^^^^^^^^^^",
        ],
    );
    says(
        &output("power_of_interval = \"mean\""),
        &[
            "meterline.toml:4:21: power_of_interval needs the interval that it is of: set interval, for example to \"15m\"",
            "  |",
            "4 | power_of_interval = \"mean\"",
            "  |                     ^^^^^^",
        ],
    );
    says(
        &output("power_of_interval = \"mean\"\ninterval = \"15m\"\nnewest_first = true"),
        &[
            "meterline.toml:4:21: power_of_interval does not go with newest_first, which sends readings of intervals that are not over: remove one of them",
            "  |",
            "4 | power_of_interval = \"mean\"",
            "  |                     ^^^^^^",
        ],
    );
    says(
        "[output.a]\ntype = \"rest\"\nurl = \"https://example.org/\"\nformat = \"classic\"\nenergy_unit = \"kwh\"\n",
        &[
            "meterline.toml:5:15: `kwh` is not allowed here: did you mean `kWh`?",
            "  |",
            "5 | energy_unit = \"kwh\"",
            "  |               ^^^^^",
        ],
    );
    says(
        "[output.a]\ntype = \"rest\"\nurl = \"https://example.org/\"\nformat = \"classic\"\nenergy_unit = \"kWh\"\n",
        &[
            "meterline.toml:5:15: energy_unit is not for this output: format = \"classic\" has always the same five keys, in Wh and W: remove it, or choose another format",
            "  |",
            "5 | energy_unit = \"kWh\"",
            "  |               ^^^^^",
        ],
    );
}
