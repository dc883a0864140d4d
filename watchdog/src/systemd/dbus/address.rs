//! Where buses listen.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

/// Unless this says otherwise …
const VARIABLE: &str = "DBUS_SYSTEM_BUS_ADDRESS";
/// … it listens here.
const BUS_SOCKET: &str = "/run/dbus/system_bus_socket";

/// The same of a user's bus, which listens here in the user's runtime directory.
const USER_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";
const USER_BUS_SOCKET: &str = "bus";

/// Connects to the system bus.
pub(crate) async fn connect_to_bus() -> io::Result<UnixStream> {
    connect(VARIABLE, Path::new(BUS_SOCKET)).await
}

/// Connects to the bus of the user whose `$XDG_RUNTIME_DIR` that is.
pub(crate) async fn connect_to_user_bus(runtime_directory: &Path) -> io::Result<UnixStream> {
    connect(USER_VARIABLE, &runtime_directory.join(USER_BUS_SOCKET)).await
}

/// Connects to the first that lets us, as libdbus does.
async fn connect(variable: &str, socket: &Path) -> io::Result<UnixStream> {
    let Ok(addresses) = std::env::var(variable) else { return UnixStream::connect(socket).await };
    let none = "no unix:path=… or unix:abstract=… is in it, and nothing else is understood";
    let mut error = io::Error::other(format!("{variable} is {addresses:?}: {none}"));
    for socket in sockets(&addresses) {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

/// The Unix sockets in a list of addresses; an abstract one begins with a zero byte. D-Bus specification, "Server
/// Addresses": `TRANSPORT:KEY=VALUE,…;…`.
fn sockets(addresses: &str) -> impl Iterator<Item = PathBuf> {
    addresses.split(';').filter_map(|address| {
        address.strip_prefix("unix:")?.split(',').find_map(|pair| {
            let bytes = match pair.split_once('=')? {
                ("path", path) => unescaped(path)?,
                ("abstract", name) => [vec![0], unescaped(name)?].concat(),
                // The guid, and what only who listens can make use of.
                _ => return None,
            };
            Some(PathBuf::from(OsString::from_vec(bytes)))
        })
    })
}

/// `%20` is a blank. [`None`] where a percent sign has no two digits.
fn unescaped(value: &str) -> Option<Vec<u8>> {
    let mut parts = value.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_in_a_list_of_addresses_are_found_in_order() {
        for (addresses, expected) in [
            ("unix:path=/run/x", &["/run/x"][..]),
            ("unix:guid=0123,path=/run/x", &["/run/x"]),
            ("unix:path=/run/x,guid=0123", &["/run/x"]),
            ("tcp:host=127.0.0.1,port=1;unix:guid=0123,path=/run/x", &["/run/x"]),
            ("unix:path=/run/a;unix:path=/run/b;", &["/run/a", "/run/b"]),
            ("unix:abstract=/tmp/x", &["\0/tmp/x"]),
            ("unix:path=/run/a%20b%3b%2c%25", &["/run/a b;,%"]),
            ("unix:path=/run/%e4%Ä;unix:path=/run/%4;unix:path=/run/%+1;unix:path=/run/b", &["/run/b"]),
            ("unix:tmpdir=/tmp;unix:runtime=yes;unix:;unixexec:path=/bin/x;launchd:env=X;autolaunch:", &[]),
            ("/run/x", &[]),
            ("", &[]),
        ] {
            let found: Vec<PathBuf> = sockets(addresses).collect();
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(found, expected, "{addresses}");
        }
    }
}
