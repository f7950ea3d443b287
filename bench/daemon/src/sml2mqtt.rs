//! sml2mqtt, the peer that can be had as a package, in a virtual environment of this bench.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Failure;

/// Its packages, each with its version.
const PACKAGES: &str = include_str!("../sml2mqtt.txt");

/// A running sml2mqtt, which is killed when this is dropped.
pub struct Sml2mqtt(Child);

impl Sml2mqtt {
    /// Reads from `port` and publishes with QoS 1; the counter of the meter `id` with every telegram, other values when
    /// they change, as it does by itself.
    pub fn start(folder: &Path, port: &str, id: &str, broker: u16) -> Result<Self, Failure> {
        let program = install()?;
        let config = format!(
            "logging:\n  level: INFO\n  file: {log}\n\
             mqtt:\n  connection:\n    identifier: sml2mqtt\n    host: 127.0.0.1\n    port: {broker}\n    \
             user: ''\n    password: ''\n  topic prefix: sml2mqtt\n  defaults:\n    qos: 1\n    retain: false\n  \
             last will:\n    topic: status\n\
             general:\n  Wh in kWh: false\n  republish after: 120\n\
             inputs:\n- type: serial\n  url: {port}\n  timeout: 6\n\
             devices:\n  {id}:\n    mqtt:\n      topic: meter\n    status:\n      topic: status\n    values:\n    \
             - obis: '0100010800ff'\n      mqtt:\n        topic: import\n      operations:\n      \
             - refresh action: 120\n",
            log = folder.join("sml2mqtt.log").display()
        );
        let file = folder.join("sml2mqtt.yml");
        fs::write(&file, config)?;
        let output = File::create(folder.join("sml2mqtt.out"))?;
        let child = Command::new(program)
            .arg("-c")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self(child))
    }

    /// Whether it goes on: it says why it does not in `sml2mqtt.out`.
    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Sml2mqtt {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Installs it beside this bench, once.
fn install() -> Result<PathBuf, Failure> {
    let beside = env::current_exe()?;
    let beside = beside.parent().ok_or("this program lies nowhere")?;
    let (folder, list) = (beside.join("sml2mqtt"), beside.join("sml2mqtt.txt"));
    let program = folder.join("bin/sml2mqtt");
    if program.exists() && fs::read_to_string(&list).is_ok_and(|have| have == PACKAGES) {
        return Ok(program);
    }
    done(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    let wanted = folder.join("packages.txt");
    fs::write(&wanted, PACKAGES)?;
    done(
        Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(wanted),
    )?;
    fs::write(list, PACKAGES)?;
    Ok(program)
}

fn done(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .status()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} fails ({status})").into())
    }
}
