use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Names in `/dev` that read heads appear under: USB converters, CDC devices,
/// and the UART of a Raspberry Pi's header.
const PREFIXES: [&str; 4] = ["ttyUSB", "ttyACM", "ttyAMA", "serial0"];

/// A serial port on which a meter may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The device itself, such as `/dev/ttyUSB0`. Changes with the order of plugging in.
    pub device: PathBuf,
    /// Its name by the converter's serial number, if it has one.
    pub by_id: Option<PathBuf>,
    /// Its name by the USB socket that it is plugged into.
    pub by_path: Option<PathBuf>,
    /// The converter, if it is one on USB.
    pub usb: Option<Usb>,
}

/// What a USB converter says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usb {
    /// Vendor id in hexadecimal, `10c4`.
    pub vendor: String,
    /// Product id in hexadecimal, `ea60`.
    pub product: String,
    /// Serial number.
    pub serial: Option<String>,
    /// Product name.
    pub name: Option<String>,
}

impl Usb {
    /// Whether the serial number tells two converters of this type apart.
    /// CH340 chips have none, and most `CP210x` come with the same `0001`.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        self.serial
            .as_deref()
            .is_some_and(|serial| serial.trim_start_matches('0').len() > 1)
    }
}

impl fmt::Display for Usb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}, ")?;
        }
        write!(f, "{}:{}", self.vendor, self.product)?;
        match &self.serial {
            Some(serial) => write!(f, ", serial number {serial}"),
            None => f.write_str(", no serial number"),
        }
    }
}

impl Candidate {
    /// The name to write into a configuration: the one that survives
    /// unplugging and other converters. By serial number where that is unique,
    /// else by USB socket, else the device.
    #[must_use]
    pub fn stable_name(&self) -> &Path {
        let unique = self.usb.as_ref().is_none_or(Usb::is_unique);
        let by_id = self.by_id.as_deref().filter(|_| unique);
        by_id
            .or(self.by_path.as_deref())
            .or(self.by_id.as_deref())
            .unwrap_or(&self.device)
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.device.display())?;
        match &self.usb {
            Some(usb) => write!(f, " ({usb})"),
            None => Ok(()),
        }
    }
}

/// Where to look for ports.
#[derive(Debug, Clone)]
pub struct Roots {
    /// Normally `/dev`.
    pub dev: PathBuf,
    /// Normally `/sys`.
    pub sys: PathBuf,
    /// Directories in which every entry is a port, such as a directory that a
    /// container gets its devices in.
    pub also: Vec<PathBuf>,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            dev: "/dev".into(),
            sys: "/sys".into(),
            also: Vec::new(),
        }
    }
}

/// Lists the serial ports on which a meter may be, each once, ordered by device name.
#[must_use]
pub fn list(roots: &Roots) -> Vec<Candidate> {
    let mut found = BTreeMap::new();
    for path in entries(&roots.dev) {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            add(&mut found, &path, &roots.sys);
        }
    }
    for path in entries(&roots.dev.join("serial/by-id")) {
        if let Some(port) = add(&mut found, &path, &roots.sys) {
            port.by_id.get_or_insert(path);
        }
    }
    for path in entries(&roots.dev.join("serial/by-path")) {
        if let Some(port) = add(&mut found, &path, &roots.sys) {
            port.by_path.get_or_insert(path);
        }
    }
    for directory in &roots.also {
        for path in entries(directory) {
            if let Some(port) = add(&mut found, &path, &roots.sys) {
                port.by_path.get_or_insert(path);
            }
        }
    }
    found.into_values().collect()
}

/// Entries of a directory in the order of their names; none if it is not there.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.sort();
    paths
}

fn add<'a>(
    found: &'a mut BTreeMap<PathBuf, Candidate>,
    path: &Path,
    sys: &Path,
) -> Option<&'a mut Candidate> {
    // A dangling link is a port that has just been unplugged.
    let device = fs::canonicalize(path).ok()?;
    Some(found.entry(device.clone()).or_insert_with(|| Candidate {
        usb: usb(&device, sys),
        device,
        by_id: None,
        by_path: None,
    }))
}

/// Walks up from the tty's device in sysfs to the USB device that carries it.
fn usb(device: &Path, sys: &Path) -> Option<Usb> {
    let tty = sys
        .join("class/tty")
        .join(device.file_name()?)
        .join("device");
    let tty = fs::canonicalize(tty).ok()?;
    let read = |directory: &Path, name: &str| {
        fs::read_to_string(directory.join(name))
            .ok()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    let directory = tty
        .ancestors()
        .find(|directory| directory.join("idVendor").exists())?;
    Some(Usb {
        vendor: read(directory, "idVendor")?,
        product: read(directory, "idProduct")?,
        serial: read(directory, "serial"),
        name: read(directory, "product"),
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::os::unix::fs::symlink;

    use super::*;

    type Outcome = Result<(), Box<dyn Error>>;

    /// A machine with a CP2102 of a real serial number, a CH340 without any, and a Pi's UART.
    fn machine(root: &Path) -> Result<Roots, Box<dyn Error>> {
        let (dev, sys) = (root.join("dev"), root.join("sys"));
        for directory in ["serial/by-id", "serial/by-path"] {
            fs::create_dir_all(dev.join(directory))?;
        }
        for name in ["ttyUSB0", "ttyUSB1", "ttyAMA0", "tty1", "null"] {
            fs::write(dev.join(name), "")?;
        }
        symlink("ttyAMA0", dev.join("serial0"))?;
        symlink(
            "../../ttyUSB0",
            dev.join("serial/by-id/usb-CP2102_0A12-if00"),
        )?;
        symlink(
            "../../ttyUSB1",
            dev.join("serial/by-id/usb-1a86_USB_Serial-if00"),
        )?;
        symlink("../../ttyUSB0", dev.join("serial/by-path/usb-0:1:1.0"))?;
        symlink("../../ttyUSB1", dev.join("serial/by-path/usb-0:2:1.0"))?;
        symlink("../../ttyUSB9", dev.join("serial/by-id/usb-gone"))?;
        for (tty, vendor, product, serial) in [
            ("ttyUSB0", "10c4", "ea60", Some("0A12")),
            ("ttyUSB1", "1a86", "7523", None),
        ] {
            let usb = sys.join("devices").join(tty);
            let port = usb.join("1.0").join(tty);
            fs::create_dir_all(&port)?;
            fs::create_dir_all(sys.join("class/tty").join(tty))?;
            fs::write(usb.join("idVendor"), format!("{vendor}\n"))?;
            fs::write(usb.join("idProduct"), format!("{product}\n"))?;
            if let Some(serial) = serial {
                fs::write(usb.join("serial"), format!("{serial}\n"))?;
            }
            symlink(&port, sys.join("class/tty").join(tty).join("device"))?;
        }
        Ok(Roots {
            dev,
            sys,
            also: Vec::new(),
        })
    }

    #[test]
    fn finds_every_port_once() -> Outcome {
        let root = tempfile::tempdir()?;
        let ports = list(&machine(root.path())?);
        let names: Vec<_> = ports
            .iter()
            .filter_map(|port| port.device.file_name())
            .collect();
        assert_eq!(names, ["ttyAMA0", "ttyUSB0", "ttyUSB1"]);
        Ok(())
    }

    #[test]
    fn a_converter_without_a_serial_number_goes_by_its_socket() -> Outcome {
        let root = tempfile::tempdir()?;
        let roots = machine(root.path())?;
        let ports = list(&roots);
        let stable: Vec<_> = ports
            .iter()
            .filter_map(|port| port.stable_name().file_name()?.to_str())
            .collect();
        assert_eq!(stable, ["ttyAMA0", "usb-CP2102_0A12-if00", "usb-0:2:1.0"]);
        assert!(
            ports[2]
                .to_string()
                .ends_with("ttyUSB1 (1a86:7523, no serial number)")
        );
        Ok(())
    }

    #[test]
    fn the_serial_number_that_all_converters_share_is_none() {
        let usb = |serial: &str| Usb {
            serial: Some(serial.into()),
            ..Usb::default()
        };
        assert!(!usb("0001").is_unique());
        assert!(!usb("0").is_unique());
        assert!(usb("0123").is_unique());
    }

    #[test]
    fn a_machine_without_ports_has_none() -> Outcome {
        let root = tempfile::tempdir()?;
        let roots = Roots {
            dev: root.path().join("dev"),
            sys: root.path().join("sys"),
            also: vec![root.path().join("nothing")],
        };
        assert!(list(&roots).is_empty());
        Ok(())
    }
}
