use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use meter_core::ServerId;
use meter_gateway::config::{Duration, Interval};
use meter_gateway::input::{Config, Moment, serial};
use meter_gateway::ports::{Line, OpenError, Port};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::head::{link, plug_in};
use super::running::start;
use super::{meter, telegrams};

fn config(port: &Path) -> serial::Config {
    serial::Config {
        port: port.display().to_string(),
        interval: Interval::Every,
        silence: Duration::from_secs(1),
        ..serial::Config::default()
    }
}

fn input(port: &Path) -> Config {
    Config::Serial(config(port))
}

#[tokio::test]
async fn every_telegram_comes_out_whichever_way_it_is_cut() {
    let mut head = plug_in();
    let mut running = start("cut", input(&head.path));
    running.until(|status| status.opened == 1).await;
    let mut meter = meter(1);
    let id = meter.server_id().to_vec();
    for (number, telegram) in telegrams(&mut meter, 40).iter().enumerate() {
        for piece in telegram.chunks(1 + number * 7) {
            head.line.write_all(piece).unwrap();
        }
        let written = Moment::now();
        let reading = running.next().await;
        assert_eq!(*reading.server_id, id);
        // The body stands in the telegram as it is.
        assert!(
            telegram
                .windows(reading.body.len())
                .any(|part| part == reading.body)
        );
        let late = reading.at.mono.saturating_sub(written.mono);
        assert!(late < std::time::Duration::from_millis(500), "{late:?}");
    }
    assert_eq!(running.status().counts.frames, 40);
    assert_eq!(running.status().readings, 40);
    assert_eq!(running.warnings(), Vec::<String>::new());
    let notice = format!(
        "reading meter {} from {} at 9600 8N1",
        ServerId(&id).meter_id(),
        head.path.display()
    );
    assert!(
        running.notices()[0].contains(&notice),
        "{:?}",
        running.notices()
    );
    running.stop().await;
}

#[tokio::test]
async fn the_newest_reading_of_each_interval_is_kept() {
    let mut head = plug_in();
    let mut running = start(
        "newest",
        Config::Serial(serial::Config {
            interval: Interval::Each(Duration::from_secs(1)),
            ..config(&head.path)
        }),
    );
    running.until(|status| status.opened == 1).await;
    let all = telegrams(&mut meter(1), 3);
    head.line.write_all(&all.concat()).unwrap();
    running.until(|status| status.readings == 3).await;
    let reading = running.next().await;
    assert!(
        all[2]
            .windows(reading.body.len())
            .any(|part| part == reading.body),
        "the newest"
    );
    assert_eq!(running.at_hand(), None);
    running.stop().await;
}

#[tokio::test]
async fn an_unplugged_head_is_read_again_under_another_name() {
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().join("head");
    let mut meter = meter(1);
    let mut next = move || meter.next().unwrap().bytes;
    let mut head = plug_in();
    link(&head.path, &name);
    let mut running = start("unplugged", input(&name));
    running.until(|status| status.opened == 1).await;
    head.line.write_all(&next()).unwrap();
    running.next().await;

    drop(head);
    let trouble = running.trouble("unplugged").await;
    assert_eq!(
        trouble.text,
        format!("{} has gone: plug the head in again", name.display())
    );
    std::fs::remove_file(&name).unwrap();
    let trouble = running.trouble("no-device").await;
    assert!(
        trouble
            .text
            .starts_with(&format!("no such device {}", name.display())),
        "{trouble}"
    );

    let head = plug_in();
    link(&head.path, &name);
    let speaking = head.speak(next);
    running.next().await;
    assert_eq!(running.warnings().len(), 1, "{:?}", running.warnings());
    let notices = running.notices();
    assert!(
        notices.last().unwrap().contains("again after"),
        "{notices:?}"
    );
    drop(speaking);
    running.stop().await;
}

#[tokio::test]
async fn a_dark_head_is_noticed_and_forgotten() {
    let head = plug_in();
    let mut running = start("dark", input(&head.path));
    let trouble = running.trouble("dark").await;
    assert!(
        trouble
            .text
            .starts_with("no reading for 1 s: nothing arrives (dark head): "),
        "{trouble}"
    );
    // It is opened anew, which changes nothing, and is no news.
    running.until(|status| status.opened >= 3).await;
    assert_eq!(running.warnings().len(), 1, "{:?}", running.warnings());
    let mut meter = meter(1);
    let speaking = head.speak(move || meter.next().unwrap().bytes);
    running.next().await;
    assert_eq!(running.warnings().len(), 1, "{:?}", running.warnings());
    drop(speaking);
    running.stop().await;
}

/// What a head sees.
type Bytes = Box<dyn FnMut() -> Vec<u8> + Send>;

#[tokio::test]
async fn what_is_wrong_on_the_line_is_said() {
    let mut damaged = meter(1);
    let mut stripped = meter(2);
    let mut seed = 1_u32;
    let noise = move || {
        let mut byte = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        };
        (0..100).map(|_| byte()).collect::<Vec<u8>>()
    };
    let cases: Vec<(&str, &str, Bytes)> = vec![
        ("noise", "only noise at 9600 8N1", Box::new(noise)),
        ("repeated", "only the byte 0x00", Box::new(|| vec![0; 50])),
        (
            "d0",
            "this meter speaks D0 (IEC 62056-21) text, not SML",
            Box::new(|| b"1-0:1.8.0*255(00000999.0000000*kWh)\r\n".to_vec()),
        ),
        (
            "dlms",
            "this meter speaks DLMS",
            Box::new(|| vec![0x7e, 0xa0, 0x0a, 0x41, 0x08, 0x83, 0x13, 9, 9, 9, 9, 0x7e]),
        ),
        (
            "broken",
            "telegrams arrive, but every one is damaged",
            Box::new(move || {
                let mut bytes = damaged.next().unwrap().bytes;
                bytes[100] ^= 0x10;
                bytes
            }),
        ),
        (
            "seven-bits",
            "drops the eighth bit",
            Box::new(move || {
                let bytes = stripped.next().unwrap().bytes;
                bytes.into_iter().map(|byte| byte & 0x7f).collect()
            }),
        ),
    ];
    for (kind, words, bytes) in cases {
        let speaking = plug_in().speak(bytes);
        let mut running = start(kind, input(&speaking.path));
        let trouble = running.trouble(kind).await;
        assert!(trouble.text.contains(words), "{trouble}");
        assert_eq!(running.warnings().len(), 1, "{:?}", running.warnings());
        assert_eq!(running.at_hand(), None);
        running.stop().await;
    }
}

#[tokio::test]
async fn another_meter_is_not_taken_for_the_right_one() {
    let mut other = meter(1);
    let found = ServerId(other.server_id()).meter_id().to_string();
    let speaking = plug_in().speak(move || other.next().unwrap().bytes);
    let mut running = start(
        "other",
        Config::Serial(serial::Config {
            meter: Some("1 EMH00 1059 9732".parse().unwrap()),
            ..config(&speaking.path)
        }),
    );
    let trouble = running.trouble("other-meter").await;
    assert_eq!(
        trouble.text,
        format!(
            "meter {found} speaks here, not 1 EMH00 1059 9732: set meter = \"{found}\", or port = \
             \"auto\" to look for 1 EMH00 1059 9732 on the other ports"
        )
    );
    assert!(running.status().foreign > 0);
    assert_eq!(running.at_hand(), None);
    running.stop().await;
}

#[tokio::test]
async fn a_port_in_use_names_who_has_it() {
    let speaking = plug_in().speak(|| b"...".to_vec());
    // Another program that has the port to itself.
    let script = format!(
        "exec 3<>{}; flock 3; echo; read forever",
        speaking.path.display()
    );
    let mut holder = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();

    let mut running = start("in-use", input(&speaking.path));
    let trouble = running.trouble("in-use").await;
    assert_eq!(
        trouble.text,
        format!(
            "{} is in use by sh (process {}): stop that first, two readers steal each other's bytes",
            speaking.path.display(),
            holder.id()
        )
    );
    holder.kill().unwrap();
    holder.wait().unwrap();
    // The meter gets its turn, and the next one is told that we have it.
    running.until(|status| status.opened == 1).await;
    let refused = Port::open(&speaking.path, Line::SML)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("in use by this very program"), "{refused}");
    running.stop().await;
}

#[test]
fn a_port_that_we_may_not_open_names_the_fix() {
    let head = plug_in();
    let path = head.path.clone();
    if rustix::process::geteuid().is_root() {
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o660))
            .unwrap();
        std::os::unix::fs::chown(&path, None, Some(20)).unwrap();
    } else {
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o060))
            .unwrap();
    }
    // Credentials belong to the thread, and this one ends with the test.
    let refused = std::thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
        }
        Port::open(&path, Line::SML).unwrap_err()
    });
    let refused = refused.join().unwrap();
    assert!(matches!(refused, OpenError::Permission { .. }), "{refused}");
    let message = refused.to_string();
    let start = format!("permission denied on {}: ", head.path.display());
    assert!(message.starts_with(&start), "{message}");
    let fix = ["usermod -aG", "--group-add", "log in again", "udev rule"];
    assert!(fix.iter().any(|fix| message.contains(fix)), "{message}");
}

#[tokio::test]
async fn what_is_no_port_is_said_to_be_none() {
    for path in ["/dev/null", "/etc/passwd", "/"] {
        let refused = Port::open(Path::new(path), Line::SML).unwrap_err();
        assert!(
            matches!(refused, OpenError::NotSerial { .. }),
            "{path}: {refused}"
        );
    }
    let refused = Port::open(Path::new("/dev/ttyUSB-none"), Line::SML).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("no such device /dev/ttyUSB-none; "),
        "{refused}"
    );
}
