use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a port may not be opened, and the command that changes it.
///
/// Its `Display` is the fix, one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The port.
    pub path: PathBuf,
    /// The group that owns the device and may read and write it.
    pub group: Option<Group>,
    /// The user that this program runs as.
    pub user: Option<String>,
    /// The user is listed in the group, but this process was started before.
    pub listed: bool,
    /// This program runs in a container.
    pub container: bool,
}

/// A group of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// Its name, if `/etc/group` knows it.
    pub name: Option<String>,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.id),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let user = self.user.as_deref().unwrap_or("$USER");
        let Some(group) = &self.group else {
            return write!(
                f,
                "no group may use it: give it one with a udev rule, or try once with sudo chmod a+rw {path}"
            );
        };
        if self.container {
            return write!(
                f,
                "it belongs to group {group}: start the container with --device {path} --group-add {}",
                group.id
            );
        }
        if self.listed {
            return write!(
                f,
                "user {user} is in its group {group} since this login: log in again or restart the service"
            );
        }
        write!(
            f,
            "it belongs to group {group}: sudo usermod -aG {group} {user}, then log in again \
             (a service: SupplementaryGroups={group})"
        )
    }
}

/// Looks up who may use `path` and who we are.
#[must_use]
pub fn access(path: &Path) -> Access {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = name_of(&users, rustix::process::geteuid().as_raw());
    let group = fs::metadata(path).ok().and_then(|device| {
        let may = device.mode() & 0o060 == 0o060;
        // The group of root owns what nobody has been given.
        (may && device.gid() != 0).then(|| Group {
            id: device.gid(),
            name: name_of(&groups, device.gid()),
        })
    });
    let listed = match (&user, &group) {
        (Some(user), Some(group)) => is_member(&groups, group.id, user),
        _ => false,
    };
    Access {
        path: path.to_owned(),
        group,
        user,
        listed,
        container: in_container(),
    }
}

/// Name for a number in the text of `/etc/group` or `/etc/passwd`.
fn name_of(table: &str, id: u32) -> Option<String> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == id).then(|| name.to_owned())
    })
}

fn is_member(groups: &str, id: u32, user: &str) -> bool {
    groups.lines().any(|line| {
        let mut fields = line.split(':').skip(2);
        let number = fields.next().and_then(|number| number.parse::<u32>().ok());
        let members = fields.next().unwrap_or_default();
        number == Some(id) && members.split(',').any(|member| member == user)
    })
}

fn in_container() -> bool {
    // Docker and podman leave these marks; systemd-nspawn and LXC set the variable.
    Path::new("/.dockerenv").exists()
        || Path::new("/run/.containerenv").exists()
        || std::env::var_os("container").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialout() -> Access {
        Access {
            path: "/dev/ttyUSB0".into(),
            group: Some(Group {
                id: 20,
                name: Some("dialout".into()),
            }),
            user: Some("pi".into()),
            listed: false,
            container: false,
        }
    }

    #[test]
    fn names_the_command_for_this_user_and_group() {
        assert_eq!(
            dialout().to_string(),
            "it belongs to group dialout: sudo usermod -aG dialout pi, then log in again \
             (a service: SupplementaryGroups=dialout)"
        );
    }

    #[test]
    fn in_a_container_the_group_goes_by_number() {
        let access = Access {
            container: true,
            ..dialout()
        };
        assert_eq!(
            access.to_string(),
            "it belongs to group dialout: start the container with --device /dev/ttyUSB0 --group-add 20"
        );
    }

    #[test]
    fn a_group_given_after_the_login_needs_a_new_login() {
        let access = Access {
            listed: true,
            ..dialout()
        };
        assert_eq!(
            access.to_string(),
            "user pi is in its group dialout since this login: log in again or restart the service"
        );
    }

    #[test]
    fn without_a_group_the_device_needs_a_rule() {
        let access = Access {
            group: None,
            ..dialout()
        };
        assert!(access.to_string().contains("udev rule"), "{access}");
    }

    #[test]
    fn reads_the_tables_of_the_system() {
        let groups = "root:x:0:\ndialout:x:20:pi,karl\nbroken line\n";
        assert_eq!(name_of(groups, 20).as_deref(), Some("dialout"));
        assert_eq!(name_of(groups, 21), None);
        assert!(is_member(groups, 20, "karl"));
        assert!(!is_member(groups, 20, "kar"));
    }
}
