//! The directory of files that are to outlive us, or to be found by others: `/run/sd-watchdog`, or a user's of that name.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Root's.
pub(crate) const ROOTS: &str = "/run/sd-watchdog";

/// Makes it, where it is not there. Whatever `UMask=` its first maker has, all may enter: the sockets of services that become
/// another user are in it.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
