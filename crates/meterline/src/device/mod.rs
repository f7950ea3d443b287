//! `meterline device`: what a device is, how it is, and what it is set to.

mod conversation;
mod example;
mod file;
mod line;
mod show;

use std::io::{self, Write as _};
use std::path::PathBuf;

use serde_json::Value;

use crate::event_loop::{block_on, interrupted};
use crate::failure::{Exit, Failure};
use conversation::Conversation;
use line::Place;

pub use conversation::Error;

/// Ask a device how it is, and set it up, over its USB port
///
/// A device is an ESP32 with meterline's firmware. Unless a port is named, every serial port is asked
/// whether a device is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline device info
  meterline device info --json | jq .outbox
  meterline device configure --example > device.toml
  meterline device configure --from device.toml
  meterline device configure --from device.toml --check
  meterline device log --port /dev/ttyACM0
  meterline device monitor --port tcp:127.0.0.1:4444

Exit status:
  0  done
  1  the device does not answer, or says no
  2  the command line is wrong
  3  the settings are wrong; nothing was changed
  4  no device was found, or more than one")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,

    /// The port: a path such as /dev/ttyACM0, `unix:PATH` or `tcp:HOST:PORT`
    #[arg(long, global = true, value_name = "PORT", value_hint = clap::ValueHint::AnyPath)]
    port: Option<Place>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How is it?
    Info {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace its settings by those in a file. It starts anew with them
    ///
    /// What the file does not say is at its default afterwards. docs/device-settings.md explains
    /// every key.
    Configure {
        /// The file, in TOML
        #[arg(
            long,
            value_name = "FILE",
            value_hint = clap::ValueHint::FilePath,
            required_unless_present = "example"
        )]
        from: Option<PathBuf>,

        /// Only read the file, and say whether it is right
        #[arg(long, requires = "from")]
        check: bool,

        /// Print a file to begin with
        #[arg(long, conflicts_with = "from")]
        example: bool,
    },
    /// Its last crashes and errors
    Log {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what it says until Ctrl-C
    Monitor,
    /// Accept the meter whose readings it refuses as implausible
    Accept,
    /// Let it start anew
    Restart,
    /// Erase its settings
    Forget {
        /// Do not ask again
        #[arg(long, required = true)]
        yes: bool,
    },
}

impl Arguments {
    /// Does it.
    pub fn run(&self) -> Result<Exit, Failure> {
        match &self.what {
            What::Configure { example: true, .. } => print(example::EXAMPLE)?,
            What::Configure {
                from: Some(path),
                check: true,
                ..
            } => {
                file::load(path)?;
                print(&format!("{} is right\n", path.display()))?;
            }
            _ => return block_on(self.talk())?,
        }
        Ok(Exit::Success)
    }

    async fn talk(&self) -> Result<Exit, Failure> {
        // A wrong file is told before anybody looks for a device.
        let request = match &self.what {
            What::Configure {
                from: Some(path), ..
            } => Some(file::load(path)?),
            _ => None,
        };
        let mut device = self.device().await?;
        match &self.what {
            What::Info { json } => {
                let info = device.ask("info", "info").await?;
                print(&if *json {
                    line_of(&info)
                } else {
                    show::info(&info)
                })?;
            }
            What::Configure { .. } => {
                let json = request.unwrap_or_default();
                let command = format!("configure {json}");
                let asked = device.ask(&command, "configure").await;
                asked.map_err(Error::in_settings)?;
                print("the device has stored the settings, and starts anew with them\n")?;
            }
            What::Log { json } => {
                let log = device.ask("log", "log").await?;
                print(&if *json {
                    line_of(&log)
                } else {
                    show::log(&log)
                })?;
            }
            What::Monitor => monitor(&mut device).await?,
            What::Accept => {
                device.ask("accept", "accept").await?;
                print("the device accepts the meter\n")?;
            }
            What::Restart => {
                device.ask("restart", "restart").await?;
                print("the device starts anew\n")?;
            }
            What::Forget { .. } => {
                device.ask("forget", "forget").await?;
                print("the device has forgotten its settings, and starts anew\n")?;
            }
        }
        Ok(Exit::Success)
    }

    async fn device(&self) -> Result<Conversation, Failure> {
        Ok(match &self.port {
            Some(place) => Conversation::open(place).await?,
            None => Conversation::find().await?,
        })
    }
}

async fn monitor(device: &mut Conversation) -> Result<(), Failure> {
    let heard = async {
        loop {
            match device.line().await {
                Ok(line) => print(&format!("{line}\n"))?,
                Err(error) => return Err(Failure::from(error)),
            }
        }
    };
    tokio::select! {
        ended = heard => ended,
        () = interrupted() => Ok(()),
    }
}

fn line_of(value: &Value) -> String {
    format!("{value}\n")
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(Failure::output)
}
